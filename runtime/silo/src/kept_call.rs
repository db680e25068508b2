//! A call that is kept and made later: by a reminder, a timer, or a letter.

use crate::call::{Call, CallRequest};
use crate::error::Failure;
use bytes::Bytes;

/// The largest arguments of such a call, in bytes.
pub const ARGS_BYTES_MAX: usize = 64 << 10;

/// Why the arguments of a call cannot be kept.
pub(crate) struct UnfitArguments {
    pub method: String,
    pub reason: String,
}

/// What is to be called, with memory of its own.
pub(crate) fn kept<R, E>(call: Call<R, E>) -> Result<CallRequest, UnfitArguments> {
    let request = call.into_request().map_err(|failure| match failure {
        Failure::BadArguments { method, reason } => UnfitArguments { method, reason },
        other => UnfitArguments { method: "?".into(), reason: other.to_string() },
    })?;
    if request.args.len() > ARGS_BYTES_MAX {
        let reason = format!("they have {} bytes, the limit is {ARGS_BYTES_MAX}", request.args.len());
        return Err(UnfitArguments { method: request.method_name.into(), reason });
    }
    // Copied: the arguments may be a slice of something large.
    let args = Bytes::copy_from_slice(&request.args);
    Ok(CallRequest { args, ..request })
}
