//! What `curl` gets.

use crate::harness::Up;
use serde_json::json;

#[test]
fn every_request_has_its_status_and_names_what_was_wrong() {
    let up = Up::serving(&["--silos", "1", "--rate", "0"]);
    let first = up.call("account/alice/deposit", r#"{"amount":5}"#);
    assert_eq!((first.status, first.body.as_str()), (200, r#"{"balance":5}"#), "{first:?}");
    assert_eq!(up.call("account/alice/balance", "").json(), json!({ "balance": 5 }));
    assert_eq!(up.call("account/alice/withdraw", r#"{"amount":2}"#).json(), json!({ "balance": 3 }));
    assert_eq!(up.call("account/al%20ice/balance", "{}").json(), json!({ "balance": 0 }), "another key");

    let huge = format!("{{\"amount\":{}}}", " ".repeat(1 << 20));
    let long = format!("account/{}/balance", "k".repeat(600));
    let table = [
        ("user/alice/deposit", "{}", 404, "`user`"),
        ("account/alice/steal", "{}", 404, "`steal`"),
        ("account/alice", "{}", 404, "/actors/account/alice"),
        ("account/alice/deposit", "{\"amount\":", 400, "JSON"),
        (long.as_str(), "", 400, "512"),
        ("account/alice/deposit", huge.as_str(), 413, "1048576"),
        ("account/alice/deposit", "", 422, "`amount`"),
        ("account/alice/deposit", "{}", 422, "`amount`"),
        ("account/alice/deposit", "[5]", 422, "amount"),
        ("account/alice/deposit", r#"{"amount":"five"}"#, 422, "`amount`"),
        ("account/alice/deposit", r#"{"amount":-5}"#, 422, "`amount`"),
        ("account/alice/deposit", r#"{"amount":5,"to":"bob"}"#, 422, "`to`"),
        ("account/alice/withdraw", r#"{"amount":4}"#, 409, "withdraw"),
        ("account/alice/deposit", r#"{"amount":18446744073709551615}"#, 409, "deposit"),
    ];
    for (path, body, status, part) in table {
        let answer = up.call(path, body);
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, status, "{path} {shown}: {answer:?}");
        let json = answer.json();
        assert!(json["error"].as_str().is_some_and(|e| e.contains(part)), "{path} {shown}: {json}");
        assert!(json["remedy"].as_str().is_some_and(|r| !r.is_empty()), "{path} {shown}: {json}");
    }
    let refusal = up.call("account/alice/withdraw", r#"{"amount":4}"#).json();
    assert_eq!(refusal["refusal"]["balance"], 3, "{refusal}");
    assert_eq!(up.get("/actors/account/alice/deposit").expect("an answer").status, 405);
    assert_eq!(
        up.call("account/alice/balance", "").json(),
        json!({ "balance": 3 }),
        "nothing of this counted"
    );

    let cluster = up.get("/cluster").expect("an answer").json();
    assert_eq!(cluster["cluster"], "quark");
    assert_eq!(cluster["members"][0]["status"], "active", "{cluster}");
    assert!(up.get("/").expect("an answer").body.contains("/actors/account/{key}/deposit"));
    let (code, _) = up.interrupt();
    assert_eq!(code, Some(0), "one silo alone leaves in order too");
}
