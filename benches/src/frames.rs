//! The transport alone: frames to another process and back, without a silo on either side. What calls are compared with.

use bytes::Bytes;
use quark::core::SiloId;
use quark::core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use quark_grpc::GrpcTransport;
use std::future::poll_fn;
use std::time::{Duration, Instant};

/// Sends every frame back, until the transport is closed.
///
/// Errors: the queue to the peer is full, or the peer is gone; the frame was not sent.
pub async fn echo(transport: &GrpcTransport) -> Result<(), SendError> {
    let mut received = Vec::new();
    while receive(transport, &mut received).await > 0 {
        for incoming in received.drain(..) {
            if let Incoming::Frame { from, lane, bytes } = incoming {
                transport.try_send(from, lane, bytes)?;
            }
        }
    }
    Ok(())
}

/// Keeps `in_flight` frames under way: each that comes back is sent again. Returns how many came back a second.
///
/// Errors: as [`echo`].
pub async fn round_trips(
    transport: &GrpcTransport,
    peer: SiloId,
    frame: &Bytes,
    in_flight: usize,
    lasting: Duration,
) -> Result<f64, SendError> {
    let start = Instant::now();
    for _ in 0..in_flight {
        transport.try_send(peer, Lane::User, frame.clone())?;
    }
    let (mut returned, mut under_way, mut received) = (0, in_flight, Vec::new());
    while under_way > 0 {
        receive(transport, &mut received).await;
        let goes_on = start.elapsed() < lasting;
        for incoming in received.drain(..) {
            if !matches!(incoming, Incoming::Frame { .. }) {
                return Err(SendError::NotConnected);
            }
            (returned, under_way) = (returned + 1, under_way - 1);
            if goes_on {
                transport.try_send(peer, Lane::User, frame.clone())?;
                under_way += 1;
            }
        }
    }
    Ok(f64::from(returned) / start.elapsed().as_secs_f64())
}

async fn receive(transport: &GrpcTransport, into: &mut Vec<Incoming>) -> usize {
    poll_fn(|cx| transport.poll_recv(cx, into, RECEIVE_MAX)).await
}

const RECEIVE_MAX: usize = 4096;
