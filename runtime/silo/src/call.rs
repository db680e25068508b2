//! A call before it is made: the handle of an actor, and the options of one call.

use crate::actor::{Access, ArgumentError, Method};
use crate::error::{CallError, Failure};
use crate::{generated, portable};
use bytes::Bytes;
use quark_core::codec::CodecError;
use quark_core::wire::IdempotencyKey;
use quark_core::{ActorId, MethodId};
use quark_env::BoxFuture;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Whoever can issue calls: a silo, a client, or an actor's context (which adds its call chain and deadline).
pub trait Issuer: Send + Sync {
    /// Issues an ask and waits for its one outcome.
    fn ask(&self, request: CallRequest) -> BoxFuture<'static, Result<Bytes, Outcome>>;
    /// Issues a tell. `Ok` means that it was accepted for sending: at most once, no outcome.
    fn tell(&self, request: CallRequest) -> Result<(), Failure>;
}

/// How an ask ended without a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The actor's own error, encoded.
    App(Bytes),
    /// The runtime's failure.
    Failed(Failure),
}

/// One call, ready to be issued.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// The target.
    pub actor: ActorId,
    /// The method.
    pub method: MethodId,
    /// The method's name, for errors.
    pub method_name: &'static str,
    /// It takes `&self`.
    pub shared: bool,
    /// The encoded arguments.
    pub args: Bytes,
    /// How long the caller waits; `None` for the default (or, within a turn, what is left of its own deadline).
    pub deadline: Option<Duration>,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
    /// Request context that flows with the call.
    pub headers: Vec<(String, String)>,
}

/// An untyped reference to an actor. Cheap to clone; making one does no I/O and activates nothing.
#[derive(Clone)]
pub struct ActorHandle {
    issuer: Arc<dyn Issuer>,
    id: ActorId,
}

impl ActorHandle {
    /// A handle whose calls go through `issuer`.
    pub fn new(issuer: Arc<dyn Issuer>, id: ActorId) -> Self {
        Self { issuer, id }
    }

    /// Who it refers to.
    pub fn id(&self) -> &ActorId {
        &self.id
    }

    /// Prepares a call of a known method that may refuse. Generated references use this.
    pub fn call<R, E>(&self, method: &'static Method, args: Result<Bytes, CodecError>) -> Call<R, E>
    where
        E: DeserializeOwned + 'static,
    {
        self.call_with(method, args, portable::decode)
    }

    /// Prepares a call of a known method that cannot refuse. Generated references use this.
    ///
    /// `Infallible` is no serde type, and a peer that sends such an error speaks another contract.
    pub fn call_infallible<R>(
        &self,
        method: &'static Method,
        args: Result<Bytes, CodecError>,
    ) -> Call<R, Infallible> {
        self.call_with(method, args, |_| Err(generated::never_refuses()))
    }

    fn call_with<R, E>(
        &self,
        method: &'static Method,
        args: Result<Bytes, CodecError>,
        refusal: fn(&[u8]) -> Result<E, CodecError>,
    ) -> Call<R, E> {
        Call {
            issuer: self.issuer.clone(),
            request: args
                .map(|args| CallRequest {
                    actor: self.id.clone(),
                    method: method.id,
                    method_name: method.name,
                    shared: method.access == Access::Shared,
                    args,
                    deadline: None,
                    idempotency: None,
                    headers: Vec::new(),
                })
                .map_err(|error| Failure::BadArguments {
                    method: method.name.into(),
                    reason: error.to_string(),
                }),
            refusal,
            result: PhantomData,
        }
    }

    /// Calls a method with JSON arguments and a JSON result, as the HTTP gateway does.
    pub fn call_json(
        &self,
        method: &'static Method,
        args: &serde_json::Value,
        deadline: Option<Duration>,
    ) -> Result<BoxFuture<'static, Result<serde_json::Value, CallError<serde_json::Value>>>, ArgumentError>
    {
        let mut call = self.call::<(), ()>(method, Ok((method.arguments_from_json)(args)?));
        if let (Ok(request), Some(deadline)) = (&mut call.request, deadline) {
            request.deadline = Some(deadline);
        }
        Ok(Box::pin(async move {
            let bad =
                |error: CodecError| CallError::Failed(Failure::Incompatible { reason: error.to_string() });
            match call.issuer.ask(call.request?).await {
                Ok(bytes) => (method.result_to_json)(&bytes).map_err(bad),
                Err(Outcome::App(bytes)) => Err(CallError::App((method.error_to_json)(&bytes).map_err(bad)?)),
                Err(Outcome::Failed(failure)) => Err(CallError::Failed(failure)),
            }
        }))
    }
}

impl std::fmt::Debug for ActorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "→{}", self.id)
    }
}

/// One call, prepared. Await it to ask; [`Call::tell`] sends it without waiting.
///
/// Dropping the future of an ask withdraws a queued call, and never cuts a running turn.
#[must_use = "a call does nothing until it is awaited or told"]
pub struct Call<R, E> {
    issuer: Arc<dyn Issuer>,
    request: Result<CallRequest, Failure>,
    refusal: fn(&[u8]) -> Result<E, CodecError>,
    result: PhantomData<fn() -> R>,
}

impl<R, E> Call<R, E> {
    /// Waits at most this long, from when it is first awaited, or told. Nested calls inherit what is left.
    pub fn deadline(mut self, limit: Duration) -> Self {
        if let Ok(request) = &mut self.request {
            request.deadline = Some(limit);
        }
        self
    }

    /// Makes the call's effect happen once, however often it is repeated (promise P5). The key is the caller's to draw,
    /// one for each logical call, and to keep for as long as it may repeat the call, also after a crash of its own.
    ///
    /// The actor remembers the key and the outcome in the same commit as the effect, and tells a repetition the first
    /// outcome, wherever it lives by then. So the runtime itself repeats the call until the deadline when an answer is
    /// lost; [`Failure::Indeterminate`] is left for a deadline that passes in doubt. For exclusive methods of durable
    /// kinds; a kind that is not durable rejects the call, and a method that takes `&self` has no effect to repeat.
    ///
    /// An actor remembers its last 128 keys: a repetition that comes after as many others runs again. A key that comes
    /// back with another method or other arguments is rejected.
    ///
    /// ```no_run
    /// # use quark::{Serialize, Deserialize};
    /// # #[derive(Default, Serialize, Deserialize)]
    /// # struct Account { balance: u64 }
    /// # #[quark::actor(kind = "account", durable)]
    /// # impl Account { fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance } }
    /// # async fn pay(client: &quark::Client, order: u128) -> Result<(), quark::CallError> {
    /// client.actor::<Account>("alice").deposit(5).idempotency_key(order).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn idempotency_key(mut self, key: u128) -> Self {
        if let Ok(request) = &mut self.request {
            request.idempotency = Some(IdempotencyKey::new(key));
        }
        self
    }

    /// Adds a pair to the request context, which flows with this call and all that it causes.
    pub fn header(mut self, key: &str, value: &str) -> Self {
        if let Ok(request) = &mut self.request {
            request.headers.push((key.into(), value.into()));
        }
        self
    }

    /// What is to be called, for those who call it later.
    pub(crate) fn into_request(self) -> Result<CallRequest, Failure> {
        self.request
    }

    /// Sends the call without waiting: at most once, in order, no outcome. An error means it was not sent.
    pub fn tell(self) -> Result<(), Failure> {
        self.issuer.tell(self.request?)
    }
}

impl<R, E> IntoFuture for Call<R, E>
where
    R: DeserializeOwned + 'static,
    E: 'static,
{
    type Output = Result<R, CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let incompatible =
                |error: CodecError| CallError::Failed(Failure::Incompatible { reason: error.to_string() });
            match self.issuer.ask(self.request?).await {
                Ok(bytes) => portable::decode(&bytes).map_err(incompatible),
                Err(Outcome::App(bytes)) => {
                    Err(CallError::App((self.refusal)(&bytes).map_err(incompatible)?))
                }
                Err(Outcome::Failed(failure)) => Err(CallError::Failed(failure)),
            }
        })
    }
}
