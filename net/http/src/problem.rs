//! What went wrong, as a status code and a body that says what to do about it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Why a request got no result. One reason, one status code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// 400: the request cannot be understood.
    Malformed,
    /// 404: no such kind, method or path.
    NotFound,
    /// 405: the path exists, and takes another verb.
    WrongVerb,
    /// 408: the request was not said in time; the connection is closed.
    TooSlow,
    /// 409: the actor ran and refused.
    Refused,
    /// 413: the body is too large.
    TooLarge,
    /// 422: the JSON is well formed, but not what the method takes.
    BadArguments,
    /// 503: it did not happen.
    Unavailable,
    /// 504: nobody knows whether it happened.
    Indeterminate,
}

/// A request without a result.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// The class.
    pub reason: Reason,
    /// What was wrong, naming the value.
    pub error: String,
    /// What to do about it.
    pub remedy: String,
    /// The actor's own error.
    pub refusal: Option<Value>,
    /// When a retry is likely to be taken.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with no details beyond its two texts.
    pub fn new(reason: Reason, error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason, error: error.into(), remedy: remedy.into(), refusal: None, retry_after: None }
    }

    /// The status code of its reason.
    pub fn status(&self) -> StatusCode {
        match self.reason {
            Reason::Malformed => StatusCode::BAD_REQUEST,
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::WrongVerb => StatusCode::METHOD_NOT_ALLOWED,
            Reason::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Reason::Refused => StatusCode::CONFLICT,
            Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::BadArguments => StatusCode::UNPROCESSABLE_ENTITY,
            Reason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Reason::Indeterminate => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error, "remedy": self.remedy });
        if let Some(refusal) = &self.refusal {
            body["refusal"] = refusal.clone();
        }
        let mut response = (self.status(), axum::Json(body)).into_response();
        if self.reason == Reason::TooSlow {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(retry_after) = self.retry_after {
            // The header counts whole seconds: rounded up, so that nobody comes too early.
            let seconds = retry_after.as_millis().div_ceil(1000).max(1);
            let value = HeaderValue::from_str(&seconds.to_string()).expect("digits are a header value");
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}
