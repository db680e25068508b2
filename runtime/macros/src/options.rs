//! The options of `#[quark::actor(..)]`.

use crate::problems::Problems;
use crate::saving::Saving;
use crate::schema::Schema;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, Meta, Token};

/// The options, checked. Where one is missing or wrong the problem is noted and a default stands in.
pub struct Options {
    /// The stable wire name of the kind.
    pub kind: String,
    /// When the state is committed, if it is.
    pub saving: Saving,
    /// The expression of the placement.
    pub placement: TokenStream,
    /// The versions of the stored state.
    pub schema: Schema,
}

const KNOWN: &str = "the options are `kind = \"..\"`, one of `durable`, `write_behind = \"..\"` and `save = manual`, \
     `placement = ..`, `version = ..` and `upgrades(..)`";
const PLACEMENTS: [(&str, &str); 4] = [
    ("ring_owner", "RingOwner"),
    ("random", "Random"),
    ("prefer_local", "PreferLocal"),
    ("least_loaded", "LeastLoaded"),
];

impl Options {
    /// Reads the text between the parentheses.
    pub fn read(tokens: TokenStream, problems: &mut Problems) -> Options {
        let mut options = Options {
            kind: String::new(),
            saving: Saving::Never,
            placement: quote!(::quark::generated::Placement::RingOwner),
            schema: Schema::default(),
        };
        let (mut seen, broken) = (Vec::<String>::new(), tokens.clone());
        let metas = match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens) {
            Ok(metas) => metas,
            Err(error) => {
                problems.add(broken, format!("the options cannot be read: {error}"), KNOWN);
                return options;
            }
        };
        for meta in &metas {
            let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
            if seen.contains(&name) {
                problems.add(meta, format!("`{name}` is given twice"), "keep one of them");
            }
            match name.as_str() {
                "kind" => options.read_kind(meta, problems),
                "durable" | "write_behind" | "save" => options.saving.read(&name, meta, problems),
                "placement" => options.read_placement(meta, problems),
                "version" => options.schema.read_version(meta, problems),
                "upgrades" => options.schema.read_upgrades(meta, problems),
                _ => problems.add(
                    meta,
                    format!("unknown option `{}`", crate::tokens::text(meta.path())),
                    KNOWN,
                ),
            }
            seen.push(name);
        }
        if !seen.iter().any(|name| name == "kind") {
            problems.push(syn::Error::new(
                proc_macro2::Span::call_site(),
                "the kind is missing: an actor needs a wire name that outlives the type's name\n\
                 help: write `#[quark::actor(kind = \"account\")]`",
            ));
        }
        options.schema.check(options.saving.is_stored(), problems);
        options
    }

    fn read_kind(&mut self, meta: &Meta, problems: &mut Problems) {
        let help = "write 1 to 64 characters of a-z, 0-9, '.', '_' and '-', as in `kind = \"account\"`";
        let Some(text) = string_of(meta) else {
            return problems.add(meta, "the kind is a string", help);
        };
        let kind = text.value();
        let misfit = kind.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'));
        if kind.is_empty() {
            problems.add(&text, "the kind is empty", help);
        } else if kind.len() > 64 {
            problems.add(&text, format!("the kind has {} bytes, the limit is 64", kind.len()), help);
        } else if let Some(misfit) = misfit {
            problems.add(&text, format!("{misfit:?} cannot be in a kind"), help);
        }
        self.kind = kind;
    }

    fn read_placement(&mut self, meta: &Meta, problems: &mut Problems) {
        let name = match value_of(meta) {
            Some(Expr::Path(path)) => path.path.get_ident().map(ToString::to_string),
            _ => None,
        };
        match PLACEMENTS.iter().find(|(known, _)| Some(*known) == name.as_deref()) {
            Some((_, variant)) => {
                let variant = quote::format_ident!("{variant}");
                self.placement = quote!(::quark::generated::Placement::#variant);
            }
            None => problems.add(
                meta,
                "unknown placement",
                format!(
                    "write `placement =` one of {}",
                    PLACEMENTS.map(|(name, _)| format!("`{name}`")).join(", ")
                ),
            ),
        }
    }
}

/// The string of `name = ".."`.
pub fn string_of(meta: &Meta) -> Option<syn::LitStr> {
    match value_of(meta)? {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}

/// The value of `name = value`, without the invisible group that a `macro_rules!` fragment leaves around it.
pub fn value_of(meta: &Meta) -> Option<&Expr> {
    let Meta::NameValue(pair) = meta else { return None };
    let mut value = &pair.value;
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    Some(value)
}
