//! Accepting connections, and ending those that are no use to anybody.

use crate::backend::Backend;
use crate::limits::Limits;
use crate::patience::Impatient;
use crate::routes::{Desk, router};
use crate::seats::{Seat, Seats};
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Serves until `stop` completes; then requests in flight are still answered, within the limits.
///
/// ```no_run
/// # async fn example(backend: std::sync::Arc<dyn quark_http::Backend>) -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// quark_http::serve(listener, backend, quark_http::Limits::default(), std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
pub async fn serve(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let routes = router(Desk { backend, body_timeout: limits.body_timeout });
    let seats = Seats::new(limits.connections_max);
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, _)) => match seats.take() {
                Some(seat) => {
                    connections.spawn(talk(tcp, routes.clone(), seat, limits.clone(), stopped.clone()));
                }
                None => turn_away(tcp),
            },
            // Out of file descriptors, mostly. Accepting again at once would only burn the processor.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    drop(stopping);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection until either side has enough of it, or somebody else needs its seat.
async fn talk(
    tcp: TcpStream,
    routes: Router,
    seat: Arc<Seat>,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) {
    // Without it small answers wait for the client's acknowledgement of earlier ones; nothing breaks if it fails.
    let _ = tcp.set_nodelay(true);
    let routes = TowerToHyperService::new(routes);
    let at = seat.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(at.clone());
        routes.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .serve_connection(TokioIo::new(Impatient::new(tcp, limits.response_timeout)), service)
    );
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = seat.taken_away() => return,
        // It is dropped, never sent.
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        biased;
        _ = connection => {}
        () = seat.taken_away() => {}
    }
}

/// Says that there is no room, if that can be said without waiting for anybody.
fn turn_away(tcp: TcpStream) {
    let body = json!({ "error": "calls run on all connections", "remedy": "it did not happen: try again" });
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // A new socket has room for so little; if the client is gone already, nobody misses the answer.
    let _ = tcp.into_std().and_then(|mut tcp| tcp.write_all(answer.as_bytes()));
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
