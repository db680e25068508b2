use super::*;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7) as u8).collect()
}

fn plain<T: Serialize>(value: &T) -> Bytes {
    codec::encode(value, CodecLimits::default().bytes_max).expect("encodes")
}

/// Around every change of the length's own length.
const LENGTHS: [usize; 7] = [0, 1, 250, 251, 252, 65_536, 70_000];

#[test]
fn bytes_are_on_the_wire_what_a_list_of_numbers_is() {
    for length in LENGTHS {
        let arguments = (7_u64, bytes(length), "after".to_owned());
        let written = arguments.encode().expect("encodes");
        assert_eq!(written, plain(&arguments), "{length}");
        assert_eq!(<(u64, Vec<u8>, String)>::decode(&written), Ok(arguments), "{length}");

        let result = encode(&bytes(length)).expect("encodes");
        assert_eq!(result, plain(&bytes(length)), "{length}");
        assert_eq!(decode::<Vec<u8>>(&result), Ok(bytes(length)), "{length}");
    }
}

#[test]
fn other_lists_and_bytes_inside_of_them_travel_as_before() {
    let arguments = (vec![1_u16, 300], vec![bytes(3), bytes(0)], Some(bytes(2)));
    let written = arguments.encode().expect("encodes");
    assert_eq!(written, plain(&arguments));
    assert_eq!(<(Vec<u16>, Vec<Vec<u8>>, Option<Vec<u8>>)>::decode(&written), Ok(arguments));
    assert_eq!(().encode(), Ok(Bytes::new()));
    assert_eq!(<()>::decode(&[]), Ok(()));
}

#[test]
fn bytes_that_are_cut_short_or_go_on_are_refused() {
    let written = (bytes(300),).encode().expect("encodes");
    for end in 0..written.len() {
        <(Vec<u8>,)>::decode(&written[..end]).expect_err("cut short");
        decode::<Vec<u8>>(&written[..end]).expect_err("cut short");
    }
    let mut longer = written.to_vec();
    longer.push(0);
    <(Vec<u8>,)>::decode(&longer).expect_err("goes on");
    // A length that nobody has room for, and no bytes.
    decode::<Vec<u8>>(&[253, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]).expect_err("absurd");
    let most = CodecLimits::default().bytes_max;
    let refused = (vec![0_u8; most],).encode().expect_err("with its length it is too large");
    assert!(matches!(refused, CodecError::TooLarge { .. }), "{refused}");
}

#[test]
fn bytes_are_read_from_a_format_that_lists_them() {
    let Taken(read) = serde_json::from_str::<Taken<Vec<u8>>>("[1, 2, 255]").expect("three bytes");
    assert_eq!(read, [1, 2, 255]);
    assert!(serde_json::from_str::<Taken<Vec<u8>>>("[256]").is_err());
}
