use super::*;

fn silo(name: &str) -> SiloId {
    SiloId::new(SiloName::new(name).expect("valid"), Generation(u64::MAX))
}

fn greeting() -> Greeting {
    Greeting {
        hello: Hello::new("cluster ü", silo("a"), u64::MAX),
        lane: Some(Lane::User),
        expected: Some(silo("b")),
        address: "host:1".into(),
    }
}

fn headers_of(message: &proto::Hello) -> MetadataMap {
    let mut headers = MetadataMap::new();
    put(&mut headers, HELLO, message);
    headers
}

fn message() -> proto::Hello {
    let mut headers = MetadataMap::new();
    greeting().write(&mut headers);
    take(&headers, HELLO).expect("just written")
}

#[test]
fn a_greeting_comes_out_as_it_went_in() {
    for lane in [None, Some(Lane::Control), Some(Lane::User)] {
        for expected in [None, Some(silo("b"))] {
            let mut headers = MetadataMap::new();
            Greeting { lane, expected, ..greeting() }.write(&mut headers);
            let read = Greeting::read(&headers).expect("well-formed");
            assert_eq!(read.hello, greeting().hello);
            assert_eq!((read.lane, read.expected), (lane, expected));
            assert_eq!(read.address, "host:1");
        }
    }
}

#[test]
fn a_welcome_and_a_refusal_come_out_as_they_went_in() {
    let mut headers = MetadataMap::new();
    write_welcome(&greeting().hello, &mut headers);
    assert_eq!(read_welcome(&headers), Ok(greeting().hello));
    assert_eq!(read_refusal(&headers), None);
    let refusal = proto::Refusal { reason: "grün".repeat(1000), dead: true, misdirected: false };
    write_refusal(&refusal, &mut headers);
    let read = read_refusal(&headers).expect("well-formed");
    assert_eq!(read.reason.chars().count(), REASON_CHARS_MAX, "cut at a character");
    assert!(read.dead);
}

#[test]
fn a_garbled_greeting_says_what_is_wrong_with_it() {
    let garbled = |change: fn(&mut proto::Hello)| {
        let mut message = message();
        change(&mut message);
        Greeting::read(&headers_of(&message)).expect_err("garbled").to_string()
    };
    assert!(garbled(|m| m.lane = 7).contains("lane"));
    assert!(garbled(|m| m.identity = None).contains("identity"));
    assert!(garbled(|m| m.address = "x".repeat(257)).contains("address"));
    let identity = |change: fn(&mut proto::Identity)| {
        let mut message = message();
        change(message.identity.as_mut().expect("written"));
        Greeting::read(&headers_of(&message)).expect_err("garbled").to_string()
    };
    assert!(identity(|i| i.silo = None).contains("silo"));
    assert!(identity(|i| i.silo.as_mut().expect("written").name = "No Name".into()).contains("No Name"));
    assert!(identity(|i| i.protocol_max = 65_536).contains("protocol"));
}

#[test]
fn no_header_and_no_message_are_told_apart() {
    assert_eq!(Greeting::read(&MetadataMap::new()).expect_err("nothing"), Garbled::Missing(HELLO));
    let mut headers = MetadataMap::new();
    headers.insert_bin(HELLO, MetadataValue::from_bytes(&[0xff; 10]));
    assert!(matches!(Greeting::read(&headers).expect_err("no message"), Garbled::Malformed(HELLO, _)));
}

#[test]
fn no_mutation_of_a_greeting_makes_reading_panic() {
    let valid = message().encode_to_vec();
    for at in 0..valid.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut mutated = valid.clone();
            mutated[at] ^= flip;
            for bytes in [&mutated[..], &mutated[..at]] {
                let mut headers = MetadataMap::new();
                headers.insert_bin(HELLO, MetadataValue::from_bytes(bytes));
                let _ = Greeting::read(&headers);
            }
        }
    }
}
