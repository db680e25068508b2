//! A call that an actor makes of itself, later: what reminders and timers ask of it.

use crate::call::Call;
use crate::error::Failure;
use bytes::Bytes;
use quark_core::{ActorId, MethodId};

/// The longest name of a reminder or a timer in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// The largest arguments of such a call, in bytes.
pub const ARGS_BYTES_MAX: usize = 64 << 10;

/// What is to be called, with memory of its own.
pub(crate) struct OwnCall {
    pub method: MethodId,
    pub method_name: &'static str,
    /// It takes `&self`.
    pub shared: bool,
    pub args: Bytes,
}

/// Why it cannot be. Reminders and timers each say it in their own words.
pub(crate) enum Unfit {
    Name(String),
    NotOurs(ActorId),
    Arguments { method: String, reason: String },
}

impl OwnCall {
    /// A call of this actor, to be known by this name.
    pub fn new<R, E>(actor: &ActorId, name: &str, call: Call<R, E>) -> Result<Self, Unfit> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Unfit::Name(name.to_owned()));
        }
        let request = call.into_request().map_err(|failure| match failure {
            Failure::BadArguments { method, reason } => Unfit::Arguments { method, reason },
            other => Unfit::Arguments { method: "?".into(), reason: other.to_string() },
        })?;
        if request.actor != *actor {
            return Err(Unfit::NotOurs(request.actor));
        }
        if request.args.len() > ARGS_BYTES_MAX {
            let reason = format!("they have {} bytes, the limit is {ARGS_BYTES_MAX}", request.args.len());
            return Err(Unfit::Arguments { method: request.method_name.into(), reason });
        }
        Ok(Self {
            method: request.method,
            method_name: request.method_name,
            shared: request.shared,
            // Copied: the arguments may be a slice of something large.
            args: Bytes::copy_from_slice(&request.args),
        })
    }
}
