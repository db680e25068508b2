use super::*;

fn tcp(host: &str, port: u16) -> Endpoint {
    Endpoint::Tcp(host.into(), port)
}

#[test]
fn a_url_says_who_and_where() {
    let address = Address::parse("rediss://me:p%40ss%2F:w@host:7000/3?prefix=quark/a").unwrap();
    assert_eq!(address.topology, Topology::One(tcp("host", 7000)));
    assert_eq!((address.tls, address.db, address.user.as_deref()), (true, 3, Some("me")));
    assert_eq!(
        (address.password, address.prefix.as_deref()),
        (Some(Secret("p@ss/:w".into())), Some("quark/a"))
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let address = Address::parse("redis://localhost").unwrap();
    assert_eq!(
        (address.topology, address.tls, address.db),
        (Topology::One(tcp("localhost", 6379)), false, 0)
    );
    assert_eq!((address.user, address.password, address.prefix), (None, None, None));
    let address = Address::parse("redis://:secret@[::1]:7").unwrap();
    assert_eq!((address.topology, address.user), (Topology::One(tcp("::1", 7)), None));
    assert_eq!(address.password, Some(Secret("secret".into())));
}

#[test]
fn sockets_sentinels_and_clusters_have_schemes_of_their_own() {
    let address = Address::parse("redis+unix:///run/a%20b.sock?db=2").unwrap();
    assert_eq!((address.topology, address.db), (Topology::One(Endpoint::Unix("/run/a b.sock".into())), 2));
    let address = Address::parse("rediss+sentinel://a,b:7/main/4").unwrap();
    let sentinels = vec![tcp("a", 26379), tcp("b", 7)];
    assert_eq!(address.topology, Topology::Sentinel { sentinels, primary: "main".into() });
    assert_eq!((address.tls, address.db), (true, 4));
    let address = Address::parse("redis-cluster://a:1,b").unwrap();
    assert_eq!(address.topology, Topology::Cluster { seeds: vec![tcp("a", 1), tcp("b", 6379)] });
}

#[test]
fn a_wrong_url_is_told_what_is_wrong() {
    let cases = [
        ("localhost:6379", "redis://localhost:6379"),
        ("http://localhost", "not with `http`"),
        ("redis://", "a host is missing"),
        ("redis://:7", "a host is missing"),
        ("redis://a:x", "`x` is no port"),
        ("redis://a:0", "`0` is no port"),
        ("redis://a:70000", "`70000` is no port"),
        ("redis://a/x", "`x` is no number of a database"),
        ("redis://a/-1", "`-1` is no number of a database"),
        ("redis://a,b", "`a,b`"),
        ("redis://a?color=red", "`color` is no parameter"),
        ("redis://a?prefix=", "`` is no prefix"),
        ("redis://a?prefix={x}", "`{x}` is no prefix"),
        ("redis://u:%zz@a", "the password in the URL"),
        ("redis://a?db=1", "`db` means nothing in this URL"),
        ("redis://a?ca=/x.pem", "begin the URL with rediss://"),
        ("rediss://a?ca=%zz", "the name of the file of `ca`"),
        ("redis://a?sentinel_password=x", "redis+sentinel://"),
        ("redis+sentinel://a/m?sentinel_password=%", "the password of the sentinels"),
        ("redis://a?wait_replicas=", "`` is no number of replicas for `wait_replicas`"),
        (
            "redis://a?wait_replicas=one",
            "`one` is no number of replicas for `wait_replicas`: give it 0 to 99",
        ),
        ("redis://a?min_replicas=100", "`100` is no number of replicas for `min_replicas`"),
        ("redis+unix://run/x", "redis+unix:///run"),
        ("redis+sentinel://a", "name-of-the-primary"),
        ("redis-cluster://a/1", "no database 1"),
    ];
    for (url, expected) in cases {
        let error = Address::parse(url).unwrap_err().to_string();
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[test]
fn a_password_is_never_shown() {
    for url in [
        "redis://u:hunter2@a",
        "redis://u:hunter2@a:bad",
        "redis://u:hunter2%@a",
        "x://u:hunter2@a",
        "redis://u:hunter2?x=hunter2@a:bad",
        "redis+sentinel://a/m?sentinel_password=hunter2&color=red",
        "redis+sentinel://a/m?sentinel_password=hunter2%",
        "redis+sentinel://a/m?sentinel_password=hunter2",
        "redis://a?sentinel_password=hunter2",
    ] {
        let shown = format!("{:?}", Address::parse(url));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let address = Address::parse("redis://u:hunter2@a").unwrap();
    assert!(!address.shown().contains("hunter2"));
}

#[test]
fn what_a_cluster_wants_of_its_redis_stands_behind_the_question_mark() {
    let url =
        "rediss+sentinel://a/m?ca=/etc/my%20ca.pem&sentinel_password=s%26t&wait_replicas=1&min_replicas=2";
    let address = Address::parse(url).unwrap();
    assert_eq!(address.ca_file, Some("/etc/my ca.pem".into()));
    assert_eq!(address.sentinel_password, Some(Secret("s&t".into())));
    assert_eq!((address.wait_replicas, address.min_replicas), (Some(1), Some(2)));
    let address = Address::parse("redis://a").unwrap();
    assert_eq!((address.ca_file, address.sentinel_password), (None, None));
    assert_eq!((address.wait_replicas, address.min_replicas), (None, None));
}
