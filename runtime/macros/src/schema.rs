//! The versions of a durable actor's stored state: `version = ..` and `upgrades(..)`.

use crate::options::value_of;
use crate::problems::Problems;
use crate::tokens;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, Meta, Token, Type};

/// What the author says of the versions, checked.
pub struct Schema {
    /// The version that is written.
    pub version: u32,
    /// The shapes of the versions before it, from version 1 on.
    pub upgrades: Vec<Type>,
    /// Where the version or, without one, the upgrades were said.
    place: Option<TokenStream>,
}

impl Default for Schema {
    fn default() -> Self {
        Self { version: 1, upgrades: Vec::new(), place: None }
    }
}

impl Schema {
    /// Reads `version = ..`.
    pub fn read_version(&mut self, meta: &Meta, problems: &mut Problems) {
        self.place = Some(meta.to_token_stream());
        let number = match value_of(meta) {
            Some(Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. })) => number.base10_parse().ok(),
            _ => None,
        };
        match number {
            // Every version before this one is a type: nobody writes as many by hand.
            Some(version @ 1..=1000) => self.version = version,
            _ => problems.add(
                meta,
                "a version is a number from 1 to 1000",
                "write `version = 2` for the first change of the stored state",
            ),
        }
    }

    /// Reads `upgrades(..)`.
    pub fn read_upgrades(&mut self, meta: &Meta, problems: &mut Problems) {
        let place = meta.to_token_stream();
        self.place.get_or_insert(place);
        let types = match meta {
            Meta::List(list) => {
                Punctuated::<Type, Token![,]>::parse_terminated.parse2(list.tokens.clone()).ok()
            }
            _ => None,
        };
        match types {
            Some(types) if !types.is_empty() => self.upgrades = types.into_iter().collect(),
            _ => problems.add(
                meta,
                "the upgrades are the shapes of the earlier versions, oldest first",
                "write `upgrades(AccountV1, AccountV2)`, the types that the state had",
            ),
        }
    }

    /// Checks the two against one another.
    pub fn check(&self, durable: bool, problems: &mut Problems) {
        let Some(place) = &self.place else { return };
        if !durable {
            return problems.add(
                place,
                "the state of this kind is not stored: it has no versions",
                "add `durable` (or `write_behind`, or `save`), or leave `version` and `upgrades` out",
            );
        }
        let (needed, given) = (self.version as usize - 1, self.upgrades.len());
        if given != needed {
            let example: Vec<String> = (1..=needed.min(3)).map(|n| format!("StateV{n}")).collect();
            let more = if needed > 3 { ", .." } else { "" };
            let help = match needed {
                0 => "write `version = ..`: one more than there are upgrades".to_owned(),
                _ => format!(
                    "write `upgrades({}{more})`: the type that the state was in each earlier version, with \
                     `impl From` the one before it",
                    example.join(", ")
                ),
            };
            problems.add(
                place,
                format!("version {} has {needed} before it, and `upgrades` has {given}", self.version),
                help,
            );
        }
        // `From` leads from every type to itself, so that a step to the same shape would compile.
        for (at, shape) in self.upgrades.iter().enumerate() {
            if self.upgrades[..at].iter().any(|earlier| tokens::text(earlier) == tokens::text(shape)) {
                problems.add(
                    shape,
                    format!("`{}` is the shape of two versions", tokens::text(shape)),
                    "give each version a type of its own, also if only the meaning has changed",
                );
            }
        }
    }
}
