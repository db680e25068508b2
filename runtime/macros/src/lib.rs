//! `#[quark::actor]`: turns an inherent impl block into an actor, and writes its typed reference.
//!
//! The macro reads the block once into a [`block::ActorBlock`] and collects everything that is wrong with it, so that
//! one compilation names every mistake. What it writes is plain: the block itself, a struct `NameRef`, and one
//! `const _` that holds the contract and two trait-free dispatch functions. Anything that could be a function is a
//! function in `quark::generated`, so that the written code stays readable in `cargo expand`.
#![deny(missing_docs)]

mod arguments;
mod block;
mod contract;
mod expand;
mod hook;
mod method;
mod options;
mod problems;
mod saving;
mod schema;
mod slots;
mod state;
mod tokens;

use proc_macro::TokenStream;

/// Makes an actor of an inherent impl block.
///
/// ```text
/// #[quark::actor(kind = "account", durable, placement = ring_owner)]
/// impl Account {
///     /// Adds to the balance.
///     async fn deposit(&mut self, ctx: &ActorContext, amount: u64) -> Result<u64, Refused> { .. }
///
///     fn balance(&self) -> u64 { .. }
/// }
/// ```
///
/// writes `impl quark::Actor for Account` and `pub struct AccountRef` with one method for each `&self` and `&mut self`
/// method, which returns a `quark::Call` to be awaited or told.
///
/// # Options
///
/// | option | meaning |
/// | --- | --- |
/// | `kind = ".."` | the stable wire name, required: 1 to 64 characters of `a-z 0-9 . _ -` |
/// | `durable` | turns through `&mut self` commit the state before their reply; the type is `Serialize + Deserialize` |
/// | `write_behind = ".."` | the state is committed at most that much later, as `"500ms"`, and replies do not wait for it |
/// | `save = manual` | the state is committed by `ctx.save(self).await`, and else not |
/// | `placement = ..` | `ring_owner` (the default), `random`, `prefer_local` or `least_loaded` |
/// | `version = ..` | the version of the stored state's schema, counted from 1, which is the default |
/// | `upgrades(..)` | the shapes of the versions before it, oldest first |
///
/// # Methods
///
/// `&mut self` is an exclusive turn, `&self` a shared one; `fn` needs no future, `async fn` is boxed once. The first
/// argument may be `ctx: &ActorContext`, which does not travel. Every other argument is an owned serde type with a
/// plain name. A method that returns `Result<T, E>`, written with both types, may refuse with its own error.
/// Functions without `self` are left alone. The type implements `Default`: that is the actor before its first commit.
///
/// On a method:
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[quark(local)]` | not exposed |
/// | `#[quark(name = "..")]` | the wire name, which survives a rename of the method |
/// | `#[quark(on_activate)]` | runs before the first turn; may return `Result<(), E>` with `E: Display` |
/// | `#[quark(on_deactivate)]` | runs after the last turn of an activation that ends in order |
///
/// # The contract
///
/// A method's wire number is a hash of its wire name; two methods that share one do not compile. The digest of a kind
/// covers its name and the methods' names, access, argument names, and argument and result types *as written*: a type
/// that changes its fields and keeps its name is not seen.
///
/// # The stored state
///
/// Parts of a state that are large and change seldom can be rows of their own: [`macro@state`].
///
/// A kind without `durable`, `write_behind` or `save` keeps nothing. Only `durable` promises that what was acknowledged is
/// committed; `quark::actor::Save` says what the other two give up.
///
/// The codec is not self-describing: whoever changes the fields of a durable actor gives its schema a new `version`, keeps
/// the former shape under another name, and says how one becomes the other:
///
/// ```text
/// #[derive(Deserialize)]
/// struct AccountV1 { balance: u32 }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account { balance: u64, currency: String }
///
/// impl From<AccountV1> for Account { .. }
///
/// #[quark::actor(kind = "account", durable, version = 2, upgrades(AccountV1))]
/// impl Account { .. }
/// ```
///
/// Each shape needs `From` the one before it; a step that is missing does not compile. A state is upgraded in memory when
/// the actor is activated, and written as of the new version by the next commit. A silo that meets a state of a newer
/// version than its own refuses the calls with `Failure::NewerState` and leaves it as it is. The version is no part of
/// the contract's digest: silos of both versions may share a cluster while the new one is rolled out, and an actor
/// that has been written by a new one is served by new ones only.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::actor(options.into(), item.into()).into()
}

/// Stores the fields of a struct whose type is `Slot<..>` as rows of their own, which are written only when they have changed.
///
/// ```text
/// #[quark::state]
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account {
///     balance: u64,
///     history: Slot<Vec<Entry>>,
///     #[quark(name = "photo", version = 2, upgrades(PhotoV1))]
///     picture: Slot<Photo>,
/// }
///
/// #[quark::actor(kind = "account", durable)]
/// impl Account { .. }
/// ```
///
/// It goes above the `#[derive(..)]`, which is not to see those fields: it gives each of them `#[serde(skip)]`. What
/// `#[quark::actor]` stores for the struct is then a record of the other fields, and a record for each slot; `quark::Slot`
/// says when. Without this attribute a struct with a slot does not compile.
///
/// On a field:
///
/// | option of `#[quark(..)]` | meaning |
/// | --- | --- |
/// | `name = ".."` | the name in the store, which survives a rename of the field: 1 to 64 characters of `a-z 0-9 . _ -` |
/// | `version = ..` | the version of the slot's schema, counted from 1, which is the default |
/// | `upgrades(..)` | the shapes of the versions before it, oldest first, each made `From` the one before |
///
/// The type is written as `Slot<..>`, not by an alias. A state has at most 16 slots.
#[proc_macro_attribute]
pub fn state(options: TokenStream, item: TokenStream) -> TokenStream {
    state::state(options.into(), item.into()).into()
}
