//! The paths, and how a request becomes a call.

use crate::backend::{ActorCall, Backend};
use crate::problem::{Problem, Reason};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value};
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The largest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Serves until `stop` completes; then requests in flight are still answered.
///
/// Errors: what accepting connections ended with.
pub async fn serve(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(backend)).with_graceful_shutdown(stop).await
}

fn router(backend: Arc<dyn Backend>) -> Router {
    Router::new()
        .route("/", get(root))
        .route("/cluster", get(cluster))
        .route("/health", get(health))
        .route("/actors/{kind}/{key}/{method}", post(call))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_verb)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(backend)
}

type Shared = State<Arc<dyn Backend>>;

async fn root(State(backend): Shared) -> String {
    backend.greeting()
}

async fn cluster(State(backend): Shared) -> Json<Value> {
    Json(backend.cluster())
}

async fn health(State(backend): Shared) -> Response {
    let health = backend.health();
    let status = if health.is_serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.details)).into_response()
}

async fn call(
    State(backend): Shared,
    path: Result<Path<(String, String, String)>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let Path((kind, key, method)) = path.map_err(|rejection| {
        let error = format!("the path cannot be read: {rejection}");
        Problem::new(Reason::Malformed, error, "percent-encode kind, key and method as UTF-8")
    })?;
    let body = body.map_err(unreadable_body)?;
    let arguments = arguments(&body, &method)?;
    backend.call(ActorCall { kind, key, method, arguments }).await.map(Json)
}

fn unreadable_body(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let error = format!("the body is larger than {BODY_BYTES_MAX} bytes");
        return Problem::new(Reason::TooLarge, error, "send less in one call");
    }
    Problem::new(Reason::Malformed, rejection.body_text(), "send the whole body")
}

/// The content type is not looked at: `curl -d` does not set one that is true.
fn arguments(body: &[u8], method: &str) -> Result<Value, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let start: String = String::from_utf8_lossy(body).chars().take(40).collect();
        Problem::new(
            Reason::Malformed,
            format!("the body `{start}` is no JSON: {error}"),
            format!("send the arguments of `{method}` as a JSON object, such as {{\"amount\": 5}}"),
        )
    })
}

async fn no_such_path(uri: Uri) -> Problem {
    let error = format!("there is nothing at `{}`", uri.path());
    Problem::new(Reason::NotFound, error, PATHS)
}

async fn wrong_verb(method: axum::http::Method, uri: Uri) -> Problem {
    let error = format!("`{}` does not take {method}", uri.path());
    Problem::new(Reason::WrongVerb, error, PATHS)
}

const PATHS: &str = "POST /actors/{kind}/{key}/{method}, GET /cluster or GET /health";

#[cfg(test)]
mod tests;
