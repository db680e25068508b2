//! Every status code, from a backend that answers as it is told.

use super::*;
use crate::backend::{BoxFuture, Health};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;

/// Echoes calls; the method chooses the outcome.
struct Fake {
    is_serving: bool,
}

impl Backend for Fake {
    fn call(&self, call: ActorCall) -> BoxFuture<Result<Value, Problem>> {
        let problem = |reason| Problem::new(reason, format!("about {}", call.method), "do better");
        let outcome = match call.method.as_str() {
            "gone" => Err(problem(Reason::NotFound)),
            "refuse" => Err(Problem { refusal: Some(json!({ "balance": 3 })), ..problem(Reason::Refused) }),
            "arguments" => Err(problem(Reason::BadArguments)),
            "overload" => Err(Problem {
                retry_after: Some(Duration::from_millis(1500)),
                ..problem(Reason::Unavailable)
            }),
            "unknown" => Err(problem(Reason::Indeterminate)),
            _ => Ok(json!({ "kind": call.kind, "key": call.key, "arguments": call.arguments })),
        };
        Box::pin(std::future::ready(outcome))
    }

    fn cluster(&self) -> Value {
        json!({ "view": 7 })
    }

    fn health(&self) -> Health {
        Health { is_serving: self.is_serving, details: json!({ "serving": 3 }) }
    }

    fn greeting(&self) -> String {
        "hello".into()
    }
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

async fn ask_of(backend: Fake, verb: &str, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::builder().method(verb).uri(path).body(body.into()).expect("a request");
    let desk = Desk { backend: Arc::new(backend), body_timeout: Duration::from_secs(30) };
    let response = router(desk).oneshot(request).await.expect("routes do not fail");
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").map(|v| v.to_str().expect("text").to_owned());
    let bytes = to_bytes(response.into_body(), 2 * BODY_BYTES_MAX).await.expect("a whole body");
    Answer { status, retry_after, body: String::from_utf8(bytes.to_vec()).expect("text") }
}

async fn ask(verb: &str, path: &str, body: impl Into<Body>) -> Answer {
    ask_of(Fake { is_serving: true }, verb, path, body).await
}

#[tokio::test]
async fn a_call_carries_its_path_and_arguments() {
    let answer = ask("POST", "/actors/account/al%20ice/deposit", r#"{"amount":5}"#).await;
    assert_eq!(answer.status, 200);
    let expected = json!({ "kind": "account", "key": "al ice", "arguments": { "amount": 5 } });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn an_empty_body_is_no_arguments() {
    for body in ["", " \n"] {
        assert_eq!(ask("POST", "/actors/a/b/c", body).await.json()["arguments"], json!({}));
    }
}

#[tokio::test]
async fn every_problem_has_its_status_and_names_its_remedy() {
    let table = [
        ("gone", "{}", 404),
        ("refuse", "{}", 409),
        ("arguments", "{}", 422),
        ("overload", "{}", 503),
        ("unknown", "{}", 504),
        ("echo", "{", 400),
        ("echo", "{\"amount\":5} and more", 400),
    ];
    for (method, body, status) in table {
        let answer = ask("POST", &format!("/actors/account/alice/{method}"), body).await;
        assert_eq!(answer.status, status, "{method} {body}: {}", answer.body);
        let json = answer.json();
        assert!(json["error"].as_str().is_some_and(|text| !text.is_empty()), "{method}: {json}");
        assert!(json["remedy"].as_str().is_some_and(|text| !text.is_empty()), "{method}: {json}");
    }
}

#[tokio::test]
async fn a_refusal_shows_the_actors_own_error() {
    let answer = ask("POST", "/actors/account/alice/refuse", "{}").await;
    assert_eq!(answer.json()["refusal"], json!({ "balance": 3 }));
}

#[tokio::test]
async fn a_retry_is_never_invited_too_early() {
    let answer = ask("POST", "/actors/account/alice/overload", "{}").await;
    assert_eq!(answer.retry_after.as_deref(), Some("2"), "1.5 s rounded up");
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_beyond_is_refused() {
    let sized = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(ask("POST", "/actors/a/b/c", sized(BODY_BYTES_MAX)).await.status, 200);
    let answer = ask("POST", "/actors/a/b/c", sized(BODY_BYTES_MAX + 1)).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("1048576"), "{}", answer.body);
}

#[tokio::test]
async fn a_key_that_is_no_text_is_refused() {
    let answer = ask("POST", "/actors/account/%ff/deposit", "{}").await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.json()["remedy"].is_string());
}

#[tokio::test]
async fn other_paths_and_verbs_say_what_there_is() {
    for (verb, path, status) in [
        ("GET", "/nothing", 404),
        ("POST", "/actors/account/alice", 404),
        ("GET", "/actors/account/alice/deposit", 405),
        ("POST", "/cluster", 405),
    ] {
        let answer = ask(verb, path, "").await;
        assert_eq!(answer.status, status, "{verb} {path}");
        assert!(answer.body.contains("/cluster"), "{verb} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn health_follows_the_backend() {
    assert_eq!(ask("GET", "/health", "").await.status, 200);
    let answer = ask_of(Fake { is_serving: false }, "GET", "/health", "").await;
    assert_eq!((answer.status, &answer.json()["serving"]), (503, &json!(3)));
}

#[tokio::test]
async fn the_root_and_the_cluster_are_shown() {
    assert_eq!(ask("GET", "/", "").await.body, "hello");
    assert_eq!(ask("GET", "/cluster", "").await.json(), json!({ "view": 7 }));
}
