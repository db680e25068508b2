//! The arguments of a method: which travel, and which cannot.

use crate::problems::Problems;
use crate::tokens::{self, Borrowed};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{FnArg, Ident, Pat, PatType, Signature, Type};

/// One argument that travels.
pub struct Argument {
    /// Its name in the source.
    pub ident: Ident,
    /// Its name in JSON.
    pub name: String,
    /// Its type, without `Self`.
    pub ty: Type,
    /// Its type in the contract.
    pub kind: String,
}

/// The longest tuple that serde knows.
const ARGUMENTS_MAX: usize = 16;

/// Reads the arguments after `self`; the flag says whether the context comes first.
pub fn read(signature: &Signature, actor: &Type, problems: &mut Problems) -> (bool, Vec<Argument>) {
    let (mut takes_context, mut arguments) = (false, Vec::<Argument>::new());
    let typed = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    for (at, argument) in typed.enumerate() {
        if is_context(&argument.ty) {
            match at {
                0 => takes_context = true,
                _ => problems.add(
                    argument,
                    "the context is the first argument",
                    "move it to the place after `self`; a method has one",
                ),
            }
        } else if is_named_context(&argument.ty) {
            problems.add(
                &argument.ty,
                "the context is lent to a method, not given",
                "write `ctx: &ActorContext`",
            );
        } else if let Some(argument) = Argument::read(argument, actor, problems) {
            arguments.push(argument);
        }
    }
    if arguments.len() > ARGUMENTS_MAX {
        problems.add(
            &signature.inputs,
            format!("a method has at most {ARGUMENTS_MAX} arguments, this one has {}", arguments.len()),
            "group them in a struct that derives `Serialize` and `Deserialize`",
        );
    }
    if let Some(variadic) = &signature.variadic {
        problems.add(variadic, "a method takes a fixed number of arguments", "take a `Vec<T>`");
    }
    (takes_context, arguments)
}

impl Argument {
    fn read(argument: &PatType, actor: &Type, problems: &mut Problems) -> Option<Argument> {
        if let Some(cfg) = argument.attrs.iter().find(|a| a.path().is_ident("cfg")) {
            problems.add(
                cfg,
                "an argument cannot depend on `cfg`: every silo of a cluster has the same contract",
                "take an `Option<T>`",
            );
        }
        let ident = match &*argument.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
            other => {
                problems.add(
                    other,
                    "an argument has a plain name, which is also its name in JSON",
                    "name it here and take it apart in the body",
                );
                None
            }
        };
        if !check_owned(&argument.ty, "an argument", problems) {
            return None;
        }
        let ident = ident?;
        let ty = syn::parse2(tokens::without_self(argument.ty.to_token_stream(), actor))
            .expect("a type is a type whatever its names");
        Some(Argument { name: ident.unraw().to_string(), ident, kind: tokens::text(&ty), ty })
    }
}

/// Whether the type is `&ActorContext`.
pub fn is_context(ty: &Type) -> bool {
    match tokens::peeled(ty) {
        Type::Reference(reference) => reference.mutability.is_none() && is_named_context(&reference.elem),
        _ => false,
    }
}

/// Whether the type is `ActorContext`, however it is held.
fn is_named_context(ty: &Type) -> bool {
    match tokens::peeled(ty) {
        Type::Reference(reference) => is_named_context(&reference.elem),
        ty => tokens::last_segment(ty).is_some_and(|(ident, _)| ident == "ActorContext"),
    }
}

/// Notes a type that borrows or is not named: neither crosses the wire. True if there is none.
pub fn check_owned(ty: &Type, what: &str, problems: &mut Problems) -> bool {
    let Some(borrowed) = tokens::borrowed(ty.to_token_stream()) else { return true };
    match borrowed {
        Borrowed::Reference => {
            let instead = match tokens::peeled(ty) {
                Type::Reference(reference) => owned(&reference.elem),
                _ => "the owned type inside it".into(),
            };
            problems.add(
                ty,
                format!("{what} crosses the wire and cannot be a reference"),
                format!("use {instead}"),
            );
        }
        Borrowed::Lifetime => problems.add(
            ty,
            format!("{what} crosses the wire and cannot borrow"),
            "use an owned type, or `'static` where serde makes it owned",
        ),
        Borrowed::ImplTrait => {
            problems.add(
                ty,
                format!("{what} has one type on the wire"),
                "name the type instead of `impl Trait`",
            );
        }
    }
    false
}

fn owned(behind: &Type) -> String {
    let behind = tokens::peeled(behind);
    match behind {
        Type::Slice(slice) => {
            format!("`Vec<{}>` instead of `&{}`", tokens::text(&slice.elem), tokens::text(behind))
        }
        Type::Path(path) if path.path.is_ident("str") => "`String` instead of `&str`".into(),
        Type::Path(_) => match tokens::last_segment(behind) {
            Some((ident, _)) if ident == "Path" => "`PathBuf` instead of `&Path`".into(),
            _ => format!("`{}`", tokens::text(behind)),
        },
        _ => "an owned type".into(),
    }
}
