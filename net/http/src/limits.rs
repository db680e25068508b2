//! What one stranger may cost.

use std::time::Duration;

/// Bounds on connections. What a stranger can make the server hold follows from these.
///
/// Whoever meets one is answered if there is still a way to answer:
///
/// | too slow, or too many | the answer |
/// | --- | --- |
/// | the header of a request, also the next one of an idle connection | the connection is closed |
/// | the body of a request | 408, and the connection is closed |
/// | taking the response | the connection is closed |
/// | one connection more than there may be | takes the place of the one that has waited longest for its client |
/// | the same, while calls of actors run on all of them | 503 with `retry-after`, and the connection is closed |
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most connections at a time.
    pub connections_max: usize,
    /// How long the header of a request may take, counted from the connection's begin or the last response.
    pub header_timeout: Duration,
    /// How long the body of a request may take, counted from its header.
    pub body_timeout: Duration,
    /// How long a client may take to read a response, counted from the moment at which the system would take no more
    /// of it.
    pub response_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(30),
        }
    }
}
