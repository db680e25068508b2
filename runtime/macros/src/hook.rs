//! `#[quark(..)]` on a method: what the method is for.

use crate::arguments;
use crate::method;
use crate::options::string_of;
use crate::problems::Problems;
use crate::tokens::last_segment;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Ident, ImplItemFn, LitStr, Meta, ReturnType, Token, Type};

/// What a method is for.
pub enum Role {
    /// A method of the contract, perhaps under an older wire name.
    Exposed(Option<LitStr>),
    /// The author's own.
    Local,
    /// Runs before the first turn.
    OnActivate,
    /// Runs after the last turn.
    OnDeactivate,
}

const KNOWN: &str = "the options are `local`, `name = \"..\"`, `on_activate` and `on_deactivate`";

impl Role {
    /// Takes the `#[quark(..)]` attributes off `attributes` and reads them.
    pub fn take(attributes: &mut Vec<Attribute>, problems: &mut Problems) -> Role {
        let (ours, rest) =
            std::mem::take(attributes).into_iter().partition::<Vec<_>, _>(|a| a.path().is_ident("quark"));
        *attributes = rest;
        let mut role = None;
        for attribute in &ours {
            let metas = match &attribute.meta {
                Meta::List(list) => {
                    Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone())
                }
                _ => Ok(Punctuated::new()),
            };
            let metas = match metas {
                Ok(metas) if !metas.is_empty() => metas,
                Ok(_) => {
                    problems.add(attribute, "`#[quark(..)]` says nothing", KNOWN);
                    continue;
                }
                Err(error) => {
                    problems.add(attribute, format!("the options cannot be read: {error}"), KNOWN);
                    continue;
                }
            };
            for meta in &metas {
                let next = Role::read(meta, problems);
                if next.is_some() && role.is_some() {
                    problems.add(meta, "a method has one role", "keep one option, or write two methods");
                }
                role = role.or(next);
            }
        }
        role.unwrap_or(Role::Exposed(None))
    }

    fn read(meta: &Meta, problems: &mut Problems) -> Option<Role> {
        let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
        let bare = matches!(meta, Meta::Path(_));
        match (name.as_str(), bare) {
            ("local", true) => Some(Role::Local),
            ("on_activate", true) => Some(Role::OnActivate),
            ("on_deactivate", true) => Some(Role::OnDeactivate),
            ("name", _) => match string_of(meta) {
                Some(text) if Ident::parse_any.parse_str(&text.value()).is_ok() => {
                    Some(Role::Exposed(Some(text)))
                }
                _ => {
                    problems.add(
                        meta,
                        "a wire name is a string that holds an identifier",
                        "write the method's former name, as in `#[quark(name = \"deposit\")]`",
                    );
                    None
                }
            },
            ("local" | "on_activate" | "on_deactivate", false) => {
                problems.add(meta, format!("`{name}` takes no value"), format!("write `#[quark({name})]`"));
                None
            }
            _ => {
                problems.add(meta, format!("unknown option `{}`", crate::tokens::text(meta.path())), KNOWN);
                None
            }
        }
    }
}

/// A hook, checked.
pub struct Hook {
    /// Its name.
    pub ident: Ident,
    /// Whether it is to be awaited.
    pub is_async: bool,
    /// Whether it takes the context.
    pub takes_context: bool,
    /// Whether it returns a `Result`.
    pub fallible: bool,
}

impl Hook {
    /// Reads the method that carries the attribute `name`.
    pub fn read(function: &ImplItemFn, name: &str, problems: &mut Problems) -> Hook {
        let signature = &function.sig;
        let mut typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        let takes_context = match typed.next() {
            None => false,
            Some(first) if arguments::is_context(&first.ty) => true,
            Some(other) => {
                problems.add(
                    other,
                    format!("`{name}` has no arguments but the context"),
                    format!("write `fn {}(&mut self, ctx: &ActorContext)`", signature.ident),
                );
                false
            }
        };
        for extra in typed {
            problems.add(
                extra,
                format!("`{name}` has no arguments but the context"),
                "read what it needs from the state or from the context",
            );
        }
        if signature.receiver().is_some() {
            method::receiver(signature, problems);
        } else {
            problems.add(
                &signature.ident,
                format!("`{name}` needs the actor"),
                format!("write `fn {}(&mut self)`", signature.ident),
            );
        }
        method::check_plain(function, problems);
        let fallible = match &signature.output {
            ReturnType::Default => false,
            ReturnType::Type(_, ty) if matches!(&**ty, Type::Tuple(unit) if unit.elems.is_empty()) => false,
            ReturnType::Type(_, ty) => {
                let result = last_segment(ty).is_some_and(|(ident, _)| ident == "Result");
                if name == "on_deactivate" {
                    problems.add(
                        ty,
                        "`on_deactivate` returns nothing",
                        "log what went wrong; nobody waits for it",
                    );
                } else if !result {
                    problems.add(
                        ty,
                        "`on_activate` returns nothing or a `Result`",
                        "write `Result<(), String>`",
                    );
                }
                result
            }
        };
        Hook {
            ident: signature.ident.clone(),
            is_async: signature.asyncness.is_some(),
            takes_context,
            fallible,
        }
    }
}
