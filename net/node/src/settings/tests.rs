use super::*;
use clap::Parser;

fn flags(arguments: &[&str]) -> UpFlags {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        up: UpFlags,
    }
    Line::try_parse_from(std::iter::once(&"quark").chain(arguments)).expect("good flags").up
}

fn resolve(arguments: &[&str], file: &str) -> Result<UpSettings> {
    UpSettings::merge(&flags(arguments), &File::parse(file)?)
}

fn refusal(file: &str) -> String {
    format!("{:#}", resolve(&[], file).expect_err(file))
}

#[test]
fn defaults_hold_where_nobody_says_otherwise() {
    let settings = resolve(&[], "").expect("defaults");
    assert_eq!((settings.silos, settings.http_port, settings.rate), (3, 8080, 200));
    assert_eq!((settings.node.cluster.as_str(), settings.node.data), ("quark", PathBuf::from("quark-data")));
    assert_eq!(settings.node.silo.deadline, Duration::from_secs(30));
}

#[test]
fn a_flag_beats_the_file_and_the_file_beats_the_default() {
    let file = "silos = 5\nrate = 7\n[silo]\ndeadline = \"9s\"\n[membership]\nlease = \"6s\"";
    let settings = resolve(&["--silos", "2"], file).expect("good");
    assert_eq!((settings.silos, settings.rate, settings.http_port), (2, 7, 8080));
    assert_eq!(settings.node.silo.deadline, Duration::from_secs(9));
    assert_eq!(settings.node.membership.renew_every, Duration::from_secs(2));
}

#[test]
fn a_wrong_file_is_refused_with_key_value_and_what_is_allowed() {
    for (file, parts) in [
        ("silo_count = 3", &["silo_count", "silos"][..]),
        ("[silo]\ndead_line = \"3s\"", &["dead_line", "deadline"]),
        ("[silo]\ndeadline = \"3sec\"", &["deadline", "`3sec`", "`ms`, `s`, `m`, `h`"]),
        ("[silo]\ndeadline = 3", &["deadline", "3", "`ms`, `s`, `m`, `h`"]),
        ("[silo]\ndeadline = \"0s\"", &["silo.deadline", "0"]),
        ("[silo]\nmailbox_messages_max = 0", &["silo.mailbox_messages_max", "0", "1000"]),
        ("[membership]\nlease = \"10ms\"", &["membership.lease", "10ms", "1s"]),
        ("silos = 0", &["silos", "0", "64"]),
        ("silos = \"three\"", &["silos", "three"]),
        ("rate = 1000000", &["rate", "1000000", "100000"]),
        ("store = \"oracle\"", &["`oracle`", "`sqlite`", "redis://"]),
        ("cluster = \"\"", &["cluster", "1 to 64"]),
        ("silos", &["silos"]),
    ] {
        let text = refusal(file);
        for part in parts {
            assert!(text.contains(part), "`{file}` should name `{part}`:\n{text}");
        }
    }
}

#[test]
fn a_store_is_chosen_by_flag_before_file_before_default() {
    let store = |arguments: &[&str], file: &str| resolve(arguments, file).expect("good").node.store;
    let file = "store = \"redis://file\"";
    assert_eq!(store(&[], ""), StoreChoice::Sqlite);
    assert_eq!(store(&[], file), StoreChoice::Redis("redis://file".into()));
    assert_eq!(store(&["--store", "redis://flag"], file), StoreChoice::Redis("redis://flag".into()));
    assert_eq!(store(&["--store", "sqlite"], file), StoreChoice::Sqlite);
}

#[test]
fn a_password_in_the_file_is_not_repeated_whatever_is_wrong() {
    for file in [
        "store = \"redis://u:hunter2@h",
        "stor = \"redis://u:hunter2@h\"",
        "store = redis://u:hunter2@h",
        "store = \"redis:/u:hunter2@h\"",
        "silos = \"redis://u:hunter2@h\"",
        "store = [\"redis://u:hunter2@h\"]",
    ] {
        let text = refusal(file);
        assert!(!text.contains("hunter2"), "{file}: {text}");
    }
    let settings = resolve(&["--store", "redis://u:hunter2@h"], "").expect("good");
    assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
}
