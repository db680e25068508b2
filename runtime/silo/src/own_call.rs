//! A call that an actor makes of itself, later: what reminders and timers ask of it.

use crate::call::{Call, CallRequest};
use crate::kept_call::{UnfitArguments, kept};
use bytes::Bytes;
use quark_core::{ActorId, MethodId};

/// The longest name of a reminder or a timer in bytes.
pub const NAME_BYTES_MAX: usize = 128;

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

impl From<UnfitArguments> for Unfit {
    fn from(UnfitArguments { method, reason }: UnfitArguments) -> Self {
        Unfit::Arguments { method, reason }
    }
}

impl OwnCall {
    /// A call of this actor, to be known by this name.
    pub fn new<R, E>(actor: &ActorId, name: &str, call: Call<R, E>) -> Result<Self, Unfit> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Unfit::Name(name.to_owned()));
        }
        let request = kept(call)?;
        if request.actor != *actor {
            return Err(Unfit::NotOurs(request.actor));
        }
        let CallRequest { method, method_name, shared, args, .. } = request;
        Ok(Self { method, method_name, shared, args })
    }
}
