//! One method of the contract.

use crate::arguments::{self, Argument};
use crate::contract;
use crate::problems::Problems;
use crate::tokens;
use proc_macro2::Span;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Ident, ImplItemFn, LitStr, ReceiverKind, ReturnType, Safety, Signature, Type};

/// One method of the contract, checked.
pub struct Method {
    /// Its name in the source.
    pub ident: Ident,
    /// Its wire name.
    pub name: String,
    /// Where the wire name is written.
    pub name_span: Span,
    /// Its wire number.
    pub id: u32,
    /// What its documentation and deprecation say.
    pub docs: Vec<Attribute>,
    /// `&self` rather than `&mut self`.
    pub shared: bool,
    /// Whether it is to be awaited.
    pub is_async: bool,
    /// Whether it takes the context.
    pub takes_context: bool,
    /// The arguments that travel.
    pub arguments: Vec<Argument>,
    /// What it returns when it succeeds.
    pub success: Type,
    /// What it refuses with, if it may.
    pub refusal: Option<Type>,
    /// What it returns, in the contract.
    pub result: String,
}

impl Method {
    /// Reads a method with a receiver. `None` if its problems leave nothing to write.
    pub fn read(
        method: &ImplItemFn,
        wire: Option<&LitStr>,
        actor: &Type,
        problems: &mut Problems,
    ) -> Option<Method> {
        let signature = &method.sig;
        let name = wire.map_or_else(|| signature.ident.unraw().to_string(), LitStr::value);
        check_plain(method, problems);
        if signature.ident == "id" {
            problems.add(
                &signature.ident,
                "the reference has a method `id` already: it says who the actor is",
                "rename the method; `#[quark(name = \"id\")]` keeps the wire name",
            );
        }
        let receiver = receiver(signature, problems);
        let (takes_context, arguments) = arguments::read(signature, actor, problems);
        let (success, refusal) = returned(signature, actor, problems)?;
        let result = match &refusal {
            Some(refusal) => format!("Result<{}, {}>", tokens::text(&success), tokens::text(refusal)),
            None => tokens::text(&success),
        };
        Some(Method {
            ident: signature.ident.clone(),
            id: contract::method_id(&name),
            name,
            name_span: wire.map_or_else(|| signature.ident.span(), LitStr::span),
            docs: method
                .attrs
                .iter()
                .filter(|a| a.path().is_ident("doc") || a.path().is_ident("deprecated"))
                .cloned()
                .collect(),
            shared: receiver? == Receiver::Shared,
            is_async: signature.asyncness.is_some(),
            takes_context,
            arguments,
            success,
            refusal,
            result,
        })
    }

    /// Its line in the text that the contract's digest is taken of.
    pub fn contract_line(&self) -> String {
        let access = if self.shared { "shared" } else { "exclusive" };
        let arguments: Vec<String> =
            self.arguments.iter().map(|a| format!("{}: {}", a.name, a.kind)).collect();
        format!("{} {access} ({}) -> {}", self.name, arguments.join(", "), self.result)
    }
}

/// How a method takes the actor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// `&mut self`.
    Exclusive,
    /// `&self`.
    Shared,
}

/// How a method takes the actor. `None`, and a problem, if it takes it otherwise.
pub fn receiver(signature: &Signature, problems: &mut Problems) -> Option<Receiver> {
    let receiver = signature.receiver()?;
    let found = match &receiver.kind {
        ReceiverKind::Reference(_, None, mutability) => Some(mutability.is_some()),
        ReceiverKind::Typed(_, ty) => match tokens::peeled(ty) {
            Type::Reference(reference) if reference.lifetime.is_none() && is_self(&reference.elem) => {
                Some(reference.mutability.is_some())
            }
            _ => None,
        },
        _ => None,
    };
    match found {
        Some(true) => Some(Receiver::Exclusive),
        Some(false) => Some(Receiver::Shared),
        None => {
            problems.add(
                receiver,
                "an actor is lent to its methods: `self` cannot be taken, boxed or kept",
                "write `&mut self` for an exclusive turn, `&self` for a shared one",
            );
            None
        }
    }
}

fn is_self(ty: &Type) -> bool {
    matches!(tokens::peeled(ty), Type::Path(path) if path.path.is_ident("Self"))
}

/// Notes everything about a signature that a call from afar cannot have.
pub fn check_plain(method: &ImplItemFn, problems: &mut Problems) {
    let signature = &method.sig;
    let local = "or mark it `#[quark(local)]` to keep it off the wire";
    if let Some(constness) = &signature.constness {
        problems.add(constness, "an actor method cannot be `const`", format!("remove `const`, {local}"));
    }
    if let Safety::Unsafe(keyword) = &signature.safety {
        problems.add(
            keyword,
            "an actor method cannot be `unsafe`: its callers are on other machines",
            format!("remove `unsafe`, {local}"),
        );
    }
    if let Some(abi) = &signature.abi {
        problems.add(abi, "an actor method has no ABI of its own", format!("remove `extern`, {local}"));
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        problems.add(
            &generics.params,
            "an actor method has no generic parameters: one wire name is one method",
            format!("write the types out, {local}"),
        );
    } else if let Some(clause) = &generics.where_clause {
        problems.add(clause, "an actor method has no `where` clause", format!("remove it, {local}"));
    }
    if let Some(cfg) = method.attrs.iter().find(|a| a.path().is_ident("cfg") || a.path().is_ident("cfg_attr"))
    {
        problems.add(
            cfg,
            "an actor method cannot depend on `cfg`: every silo of a cluster has the same contract",
            format!("test `cfg!(..)` in the body, {local}"),
        );
    }
}

/// What the method returns: its success, and its own error if it has one.
fn returned(signature: &Signature, actor: &Type, problems: &mut Problems) -> Option<(Type, Option<Type>)> {
    let ty = match &signature.output {
        ReturnType::Default => return Some((syn::parse_quote!(()), None)),
        ReturnType::Type(_, ty) => ty,
    };
    if !arguments::check_owned(ty, "a result", problems) {
        return None;
    }
    let plain: Type = syn::parse2(tokens::without_self(ty.to_token_stream(), actor))
        .expect("a type is a type whatever its names");
    match tokens::last_segment(&plain) {
        Some((ident, types)) if ident == "Result" => match types[..] {
            [success, refusal] => Some((success.clone(), Some(refusal.clone()))),
            _ => {
                problems.add(
                    ty,
                    "this `Result` hides the error that callers are to see",
                    "write both types out: `Result<T, E>`",
                );
                None
            }
        },
        _ => Some((plain, None)),
    }
}
