use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Unary(Box<Tree>),
    Pair(Box<Tree>, Box<Tree>),
    Named { left: Box<Tree>, tag: String },
    List(Vec<Tree>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(i64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    flag: bool,
    small: (u8, i8, u16, i16),
    large: (u32, i32, u64, i64),
    wide: (u128, i128),
    real: (f32, f64),
    letter: char,
    text: String,
    bytes: Bytes,
    maybe: Option<Newtype>,
    list: Vec<Newtype>,
    map: BTreeMap<String, u32>,
    unit: (),
    tree: Tree,
}

fn trees() -> impl Strategy<Value = Tree> {
    Just(Tree::Leaf).prop_recursive(4, 32, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Tree::Unary),
            (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Tree::Pair(a, b)),
            (boxed, ".{0,4}").prop_map(|(left, tag)| Tree::Named { left, tag }),
            prop::collection::vec(inner, 0..4).prop_map(Tree::List),
        ]
    })
}

fn records() -> impl Strategy<Value = Record> {
    (
        (any::<bool>(), any::<(u8, i8, u16, i16)>(), any::<(u32, i32, u64, i64)>(), any::<(u128, i128)>()),
        (-1e9..1e9f32, -1e9..1e9f64, any::<char>(), ".{0,300}", prop::collection::vec(any::<u8>(), 0..9)),
        prop::option::of(any::<i64>().prop_map(Newtype)),
        prop::collection::vec((-300..300i64).prop_map(Newtype), 0..5),
        prop::collection::btree_map(".{0,3}", any::<u32>(), 0..3),
        trees(),
    )
        .prop_map(|((flag, small, large, wide), (f, d, letter, text, bytes), maybe, list, map, tree)| {
            Record {
                flag,
                small,
                large,
                wide,
                real: (f, d),
                letter,
                text,
                bytes: bytes.into(),
                maybe,
                list,
                map,
                unit: (),
                tree,
            }
        })
}

fn limits(bytes_max: usize, depth_max: usize, elements_max: usize) -> CodecLimits {
    CodecLimits { bytes_max, depth_max, elements_max }
}

#[test]
fn the_format_has_not_moved() {
    let value = (1u8, 250u64, 251u64, -1i32, Some("ab"), [70_000u32], Tree::Unary(Box::new(Tree::Leaf)));
    let bytes = encode(&value, 100).expect("fits");
    assert_eq!(&bytes[..], [1, 250, 251, 251, 0, 1, 1, 2, b'a', b'b', 252, 0x70, 0x11, 1, 0, 1, 0]);
}

#[test]
fn bytes_after_the_value_are_refused() {
    let error = decode::<u8>(&[1, 2], CodecLimits::default()).expect_err("one byte too many");
    assert!(matches!(&error, CodecError::Malformed { of: "u8", .. }), "{error}");
    assert!(matches!(decode::<u32>(&[], CodecLimits::default()), Err(CodecError::Malformed { .. })));
}

#[test]
fn a_list_of_nothings_is_no_bomb() {
    let mut bomb = vec![253];
    bomb.extend_from_slice(&(1u64 << 60).to_le_bytes());
    let limit = CodecLimits::default().elements_max;
    let refused = Err(CodecError::TooManyElements { limit });
    assert_eq!(decode::<Vec<()>>(&bomb, CodecLimits::default()), refused);
    // The same one level down, and the same elements in many small lists.
    let mut nested = vec![1];
    nested.extend_from_slice(&bomb);
    assert_eq!(decode::<Vec<Vec<()>>>(&nested, CodecLimits::default()).map(drop), refused.map(drop));
    let many: Vec<Vec<()>> = vec![vec![(); 10]; 10];
    let bytes = encode(&many, 200).expect("110 elements");
    assert_eq!(decode::<Vec<Vec<()>>>(&bytes, limits(200, 9, 110)), Ok(many));
    let refused = decode::<Vec<Vec<()>>>(&bytes, limits(200, 9, 109));
    assert_eq!(refused, Err(CodecError::TooManyElements { limit: 109 }));
}

#[test]
fn a_huge_length_allocates_nothing() {
    let mut bomb = vec![253];
    bomb.extend_from_slice(&(1u64 << 62).to_le_bytes());
    assert!(matches!(
        decode::<Vec<u64>>(&bomb, CodecLimits::default()),
        Err(CodecError::TooManyElements { .. })
    ));
    assert!(decode::<String>(&bomb, CodecLimits::default()).is_err());
    assert!(decode::<Bytes>(&bomb, CodecLimits::default()).is_err());
    assert!(decode::<BTreeMap<u8, u8>>(&bomb, CodecLimits::default()).is_err());
}

#[test]
fn a_deep_value_is_refused_before_the_stack_is_full() {
    for variant in [1u8, 2, 3] {
        let bomb = vec![variant; 100_000];
        let refused = decode::<Tree>(&bomb, CodecLimits::default());
        assert_eq!(refused, Err(CodecError::TooDeep { limit: DEPTH_MAX }));
    }
    // A list of one list of one list.
    let bomb: Vec<u8> = [4u8, 1].repeat(50_000);
    assert_eq!(decode::<Tree>(&bomb, CodecLimits::default()), Err(CodecError::TooDeep { limit: DEPTH_MAX }));
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let mut deep = Tree::Leaf;
    for _ in 0..DEPTH_MAX - 1 {
        deep = Tree::Unary(Box::new(deep));
    }
    let bytes = encode(&deep, 1000).expect("just deep enough");
    assert_eq!(decode::<Tree>(&bytes, CodecLimits::of_bytes(1000)).as_ref(), Ok(&deep));
    let deeper = Tree::Unary(Box::new(deep));
    assert_eq!(encode(&deeper, 1000), Err(CodecError::TooDeep { limit: DEPTH_MAX }));
    assert_eq!(encode(&vec![(); 11], 10), Err(CodecError::TooManyElements { limit: 10 }));
    assert_eq!(encode("12345678901", 10), Err(CodecError::TooLarge { bytes: 12, limit: 10 }));
    assert_eq!(
        decode::<String>(&[0; 11], limits(10, 9, 9)),
        Err(CodecError::TooLarge { bytes: 11, limit: 10 })
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_measured_exactly(record in records()) {
        let bytes = encode(&record, 1 << 20).expect("fits");
        let limits = CodecLimits::of_bytes(1 << 20);
        prop_assert_eq!(measure::measure(&record, limits), Ok(bytes.len()));
        prop_assert_eq!(&bytes[..], &options().serialize(&record).expect("plain bincode")[..]);
        prop_assert_eq!(decode::<Record>(&bytes, limits), Ok(record));
    }

    /// Writer and reader agree on the limits to the last element and level.
    #[test]
    fn both_sides_count_alike(record in records(), depth in 1..12usize, elements in 0..12usize) {
        let limits = limits(1 << 20, depth, elements);
        let bytes = encode(&record, 1 << 20).expect("fits");
        let (written, read) = (encode_within(&record, limits), decode::<Record>(&bytes, limits));
        // A value may break both limits; the sides need not agree on which they meet first.
        prop_assert_eq!(written.is_ok(), read.is_ok(), "{:?} {:?}", written, read);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode::<Record>(&bytes, CodecLimits::default());
        let _ = decode::<Tree>(&bytes, CodecLimits::default());
        let _ = decode::<Vec<Option<Tree>>>(&bytes, CodecLimits::default());
    }
}
