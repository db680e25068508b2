//! The kinds that a silo hosts, with their types erased.

use crate::actor::{Actor, Contract, Dispatch, Save};
use crate::context::ActorContext;
use crate::stored::{LoadError, load_state};
use crate::write_behind::WriteBehind;
use bytes::Bytes;
use quark_core::codec::CodecError;
use quark_core::placement::Placement;
use quark_core::{ActorId, MethodId, hash};
use quark_env::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An actor whose type has been forgotten.
pub(crate) trait Body: Send + Sync {
    fn call_mut<'a>(&'a mut self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a>;
    fn call_ref<'a>(&'a self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a>;
    fn encode_state(&self) -> Result<Bytes, CodecError>;
    fn on_activate<'a>(&'a mut self, ctx: &'a ActorContext) -> BoxFuture<'a, Result<(), String>>;
    fn on_deactivate<'a>(&'a mut self, ctx: &'a ActorContext) -> BoxFuture<'a, ()>;
}

impl<A: Actor> Body for A {
    fn call_mut<'a>(&'a mut self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a> {
        Actor::call_mut(self, ctx, method, args)
    }

    fn call_ref<'a>(&'a self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a> {
        Actor::call_ref(self, ctx, method, args)
    }

    fn encode_state(&self) -> Result<Bytes, CodecError> {
        Actor::encode_state(self)
    }

    fn on_activate<'a>(&'a mut self, ctx: &'a ActorContext) -> BoxFuture<'a, Result<(), String>> {
        Actor::on_activate(self, ctx)
    }

    fn on_deactivate<'a>(&'a mut self, ctx: &'a ActorContext) -> BoxFuture<'a, ()> {
        Actor::on_deactivate(self, ctx)
    }
}

type Decode = fn(&[u8]) -> Result<Box<dyn Body>, LoadError>;

/// One kind.
pub(crate) struct KindEntry {
    pub durable: bool,
    pub save: Save,
    /// Which of its activations owe the store a commit.
    pub behind: WriteBehind,
    /// The newest schema of its state that this program knows.
    pub state_version: u32,
    pub placement: Placement,
    pub contract: &'static Contract,
    pub create: fn(&ActorId) -> Box<dyn Body>,
    pub decode: Decode,
}

/// All kinds, by name.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    kinds: BTreeMap<&'static str, Arc<KindEntry>>,
}

impl Registry {
    pub fn add<A: Actor>(&mut self) {
        let entry = KindEntry {
            durable: A::DURABLE,
            save: A::SAVE,
            behind: WriteBehind::default(),
            state_version: A::STATE_VERSION,
            placement: A::PLACEMENT,
            contract: A::contract(),
            create: |id| Box::new(A::create(id)),
            decode: |record| Ok(Box::new(load_state::<A>(record)?)),
        };
        self.kinds.insert(A::KIND, Arc::new(entry));
    }

    pub fn kind(&self, name: &str) -> Option<&Arc<KindEntry>> {
        self.kinds.get(name)
    }

    pub fn contracts(&self) -> impl Iterator<Item = &'static Contract> + '_ {
        self.kinds.values().map(|k| k.contract)
    }

    /// Whether any kind is durable.
    pub fn has_durable(&self) -> bool {
        self.kinds.values().any(|kind| kind.durable)
    }

    /// The kinds' names, for error messages.
    pub fn known(&self) -> String {
        if self.kinds.is_empty() {
            return "none".into();
        }
        self.kinds.keys().copied().collect::<Vec<_>>().join(", ")
    }

    /// One number for all contracts: silos that disagree on it do not share a cluster. 0 is kept for clients, which
    /// host nothing.
    pub fn digest(&self) -> u64 {
        let mut digest = 0;
        for contract in self.contracts() {
            digest = hash::mix(digest ^ contract.digest);
        }
        if digest == 0 && !self.kinds.is_empty() { 1 } else { digest }
    }
}
