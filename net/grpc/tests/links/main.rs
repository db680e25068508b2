//! Transports on real sockets of 127.0.0.1. Nothing here sleeps: every wait is for an event, under one watchdog.

mod bounds;
mod breakage;
mod exchange;
mod harness;
mod hostile;
mod order;
mod refusal;
