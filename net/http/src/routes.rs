//! The paths, and how a request becomes a call.

use crate::backend::{ActorCall, Backend};
use crate::problem::{Problem, Reason};
use crate::seats::Seat;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The largest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Where requests are taken: who answers them, and how long they may take to be said.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) body_timeout: Duration,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/", get(root))
        .route("/cluster", get(cluster))
        .route("/health", get(health))
        .route("/actors/{kind}/{key}/{method}", post(call))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_verb)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(desk)
}

async fn root(State(desk): State<Desk>) -> String {
    desk.backend.greeting()
}

async fn cluster(State(desk): State<Desk>) -> Json<Value> {
    Json(desk.backend.cluster())
}

async fn health(State(desk): State<Desk>) -> Response {
    let health = desk.backend.health();
    let status = if health.is_serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.details)).into_response()
}

async fn call(
    State(desk): State<Desk>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let Path((kind, key, method)) = path.map_err(|rejection| {
        let error = format!("the path cannot be read: {rejection}");
        Problem::new(Reason::Malformed, error, "percent-encode kind, key and method as UTF-8")
    })?;
    let seat = request.extensions().get::<Arc<Seat>>().cloned();
    let body = timeout(desk.body_timeout, Bytes::from_request(request, &()))
        .await
        .map_err(|_| too_slow(desk.body_timeout))?
        .map_err(unreadable_body)?;
    let arguments = arguments(&body, &method)?;
    // Without a seat there is nobody left to answer: only tests come without a connection.
    let _working = match &seat {
        None => None,
        Some(seat) => Some(seat.work().ok_or_else(seatless)?),
    };
    desk.backend.call(ActorCall { kind, key, method, arguments }).await.map(Json)
}

fn unreadable_body(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let error = format!("the body is larger than {BODY_BYTES_MAX} bytes");
        return Problem::new(Reason::TooLarge, error, "send less in one call");
    }
    Problem::new(Reason::Malformed, rejection.body_text(), "send the whole body")
}

fn too_slow(limit: Duration) -> Problem {
    let error = format!("the body was not there {limit:?} after the header");
    Problem::new(Reason::TooSlow, error, "it did not happen: send the whole body at once")
}

/// Its connection is being closed for another one, so that hardly anybody reads this.
fn seatless() -> Problem {
    let error = "another connection has taken the place of this one";
    Problem::new(Reason::Unavailable, error, "it did not happen: try again")
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
