//! The kinds that a silo hosts, with their types erased.

use crate::actor::{Actor, Contract, Dispatch, Save};
use crate::context::ActorContext;
use crate::slots::{Held, Image, Listed, Unfit};
use crate::stored::{LoadError, load_state};
use crate::write_behind::WriteBehind;
use quark_core::placement::Placement;
use quark_core::{ActorId, MethodId, hash};
use quark_env::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An actor whose type has been forgotten.
pub(crate) trait Body: Send + Sync {
    fn call_mut<'a>(&'a mut self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a>;
    fn call_ref<'a>(&'a self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a>;
    fn image(&self, held: &Held) -> Result<Image, Unfit>;
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

    fn image(&self, held: &Held) -> Result<Image, Unfit> {
        Image::of(self, held)
    }

    fn on_activate<'a>(&'a mut self, ctx: &'a ActorContext) -> BoxFuture<'a, Result<(), String>> {
        Actor::on_activate(self, ctx)
    }

    fn on_deactivate<'a>(&'a mut self, ctx: &'a ActorContext) -> BoxFuture<'a, ()> {
        Actor::on_deactivate(self, ctx)
    }
}

/// Makes an actor of its record, if it has one, and of what the store has of its slots.
type Load = fn(&ActorId, Option<&[u8]>, &mut Held) -> Result<Box<dyn Body>, LoadError>;

/// One kind.
pub(crate) struct KindEntry {
    pub durable: bool,
    pub save: Save,
    /// Which of its activations owe the store a commit.
    pub behind: WriteBehind,
    /// The newest schema of its state that this program knows.
    pub state_version: u32,
    pub slots: Vec<Listed>,
    pub placement: Placement,
    pub contract: &'static Contract,
    pub load: Load,
}

fn load<A: Actor>(id: &ActorId, record: Option<&[u8]>, held: &mut Held) -> Result<Box<dyn Body>, LoadError> {
    let mut actor = match record {
        Some(record) => load_state::<A>(record)?,
        None => A::create(id),
    };
    held.load_into(&mut actor)?;
    Ok(Box::new(actor))
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
            slots: A::SLOTS.iter().map(Listed::from).collect(),
            placement: A::PLACEMENT,
            contract: A::contract(),
            load: load::<A>,
        };
        self.kinds.insert(A::KIND, Arc::new(entry));
    }

    pub fn kind(&self, name: &str) -> Option<&Arc<KindEntry>> {
        self.kinds.get(name)
    }

    pub fn contracts(&self) -> impl Iterator<Item = &'static Contract> + '_ {
        self.kinds.values().map(|k| k.contract)
    }

    /// How many activations owe the store a commit.
    pub fn unsaved(&self) -> usize {
        self.kinds.values().map(|kind| kind.behind.unsaved()).sum()
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
