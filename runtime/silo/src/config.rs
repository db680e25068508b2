//! The knobs of a silo. Defaults follow the field unless there is a reason.

use quark_core::reminder;
use quark_core::wire::Limits;
use std::time::Duration;

/// How a silo behaves. All times are on its monotonic clock.
#[derive(Clone, Debug)]
pub struct SiloConfig {
    /// How long an ask waits when the caller does not say.
    pub deadline: Duration,
    /// After how long without a message an activation is collected.
    pub idle_after: Duration,
    /// The most messages waiting for one activation.
    pub mailbox_messages_max: usize,
    /// The most bytes waiting for one activation.
    pub mailbox_bytes_max: usize,
    /// The most calls that this silo waits for.
    pub pending_max: usize,
    /// The most requests held while their directory range changes hands.
    pub held_max: usize,
    /// The most entries of the route cache.
    pub routes_max: usize,
    /// How long an orderly stop may take before what is left is abandoned.
    pub shutdown_timeout: Duration,
    /// How long a commit whose outcome is unknown is chased before the caller is told so.
    pub resolve_timeout: Duration,
    /// Panics of one actor within [`SiloConfig::restart_window`] before it is quarantined.
    pub restarts_max: u32,
    /// The window of [`SiloConfig::restarts_max`].
    pub restart_window: Duration,
    /// The first pause after a panic; it doubles up to [`SiloConfig::restart_backoff_max`].
    pub restart_backoff: Duration,
    /// The longest pause, and the length of a quarantine.
    pub restart_backoff_max: Duration,
    /// How reminders are fired.
    pub reminders: reminder::Config,
    /// What frames may contain.
    pub limits: Limits,
}

impl Default for SiloConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            idle_after: Duration::from_secs(15 * 60),
            mailbox_messages_max: 1000,
            mailbox_bytes_max: 8 << 20,
            pending_max: 100_000,
            held_max: 10_000,
            routes_max: 100_000,
            shutdown_timeout: Duration::from_secs(30),
            resolve_timeout: Duration::from_secs(10),
            restarts_max: 3,
            restart_window: Duration::from_secs(60),
            restart_backoff: Duration::from_secs(1),
            restart_backoff_max: Duration::from_secs(30),
            reminders: reminder::Config::default(),
            limits: Limits::default(),
        }
    }
}
