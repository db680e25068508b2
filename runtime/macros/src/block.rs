//! The impl block, read once.

use crate::contract;
use crate::hook::{Hook, Role};
use crate::method::Method;
use crate::problems::Problems;
use proc_macro2::TokenStream;
use syn::{Ident, ImplItem, ItemImpl, PathArguments, Type};

/// An impl block with its methods and hooks, checked.
pub struct ActorBlock {
    /// The actor's type.
    pub actor: Type,
    /// The last name of that type.
    pub ident: Ident,
    /// The methods of the contract, sorted by wire number.
    pub methods: Vec<Method>,
    /// What runs before the first turn.
    pub on_activate: Option<Hook>,
    /// What runs after the last turn.
    pub on_deactivate: Option<Hook>,
}

/// The impl block that the attribute is on, or nothing and a problem.
pub fn parse(item: TokenStream, problems: &mut Problems) -> Option<ItemImpl> {
    match syn::parse2::<syn::Item>(item.clone()) {
        Ok(syn::Item::Impl(block)) => return Some(block),
        Ok(_) => problems.push(syn::Error::new(
            proc_macro2::Span::call_site(),
            "`#[quark::actor]` goes on an impl block\n\
             help: leave the struct plain and put the attribute on `impl YourActor { .. }`, where the methods are",
        )),
        Err(error) => problems.push(error),
    }
    None
}

impl ActorBlock {
    /// Reads the block, and takes the `#[quark(..)]` attributes off it.
    pub fn read(block: &mut ItemImpl, problems: &mut Problems) -> Option<ActorBlock> {
        check_header(block, problems);
        let actor = (*block.self_ty).clone();
        let mut read = ActorBlock {
            ident: actor_ident(&actor, problems)?,
            actor,
            methods: Vec::new(),
            on_activate: None,
            on_deactivate: None,
        };
        for item in &mut block.items {
            match item {
                ImplItem::Fn(function) => {
                    let role = Role::take(&mut function.attrs, problems);
                    read.add(function, role, problems);
                }
                ImplItem::Const(item) => refuse_attribute(&mut item.attrs, problems),
                ImplItem::Type(item) => refuse_attribute(&mut item.attrs, problems),
                ImplItem::Macro(item) => refuse_attribute(&mut item.attrs, problems),
                _ => {}
            }
        }
        contract::check_distinct(&read.methods, problems);
        read.methods.sort_by_key(|method| method.id);
        Some(read)
    }

    fn add(&mut self, function: &syn::ImplItemFn, role: Role, problems: &mut Problems) {
        let (slot, name) = match role {
            Role::Local => return,
            Role::Exposed(wire) => {
                if function.sig.receiver().is_some() {
                    self.methods.extend(Method::read(function, wire.as_ref(), &self.actor, problems));
                } else if let Some(wire) = wire {
                    problems.add(wire, "a function without `self` is not on the wire", "remove the name");
                }
                return;
            }
            Role::OnActivate => (&mut self.on_activate, "on_activate"),
            Role::OnDeactivate => (&mut self.on_deactivate, "on_deactivate"),
        };
        if let Some(first) = slot {
            problems.add(
                &function.sig.ident,
                format!("a second `{name}` hook, after `{}`", first.ident),
                "call one from the other; an actor has one",
            );
        }
        *slot = Some(Hook::read(function, name, problems));
    }
}

fn check_header(block: &ItemImpl, problems: &mut Problems) {
    if let Some((path, _)) = &block.trait_ {
        problems.add(
            path,
            "an actor's methods are inherent: a trait impl cannot be exposed",
            "put the methods in `impl YourActor { .. }` and call the trait from there",
        );
    }
    if let Some(keyword) = &block.unsafety {
        problems.add(keyword, "an actor block cannot be `unsafe`", "remove `unsafe`");
    }
    if !block.generics.params.is_empty() {
        problems.add(
            &block.generics.params,
            "an actor has no generic parameters: one kind is one type on the wire",
            "write the types out, or keep the generic part in a field",
        );
    } else if let Some(clause) = &block.generics.where_clause {
        problems.add(clause, "an actor block has no `where` clause", "remove it");
    }
}

fn actor_ident(actor: &Type, problems: &mut Problems) -> Option<Ident> {
    let segment = match crate::tokens::peeled(actor) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    };
    match segment {
        Some(segment) => {
            if !matches!(segment.arguments, PathArguments::None) {
                problems.add(
                    &segment.arguments,
                    "an actor's type has no generic arguments: one kind is one type on the wire",
                    "wrap it in a struct of its own",
                );
            }
            Some(segment.ident.clone())
        }
        None => {
            problems.add(actor, "an actor is a struct or enum of its own", "write `impl YourActor { .. }`");
            None
        }
    }
}

fn refuse_attribute(attributes: &mut Vec<syn::Attribute>, problems: &mut Problems) {
    attributes.retain(|attribute| {
        let ours = attribute.path().is_ident("quark");
        if ours {
            problems.add(attribute, "`#[quark(..)]` goes on a method", "remove it");
        }
        !ours
    });
}
