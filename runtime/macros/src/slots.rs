//! The slots of a state: the fields of `#[quark::state]` whose type is `Slot<..>`.

use crate::options::string_of;
use crate::problems::Problems;
use crate::schema::Schema;
use crate::tokens;
use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Field, Ident, LitStr, Meta, Token, Type};

/// The most slots of a state; the runtime has the same number.
const SLOTS_MAX: usize = 16;
const KNOWN: &str = "the options of a slot are `name = \"..\"`, `version = ..` and `upgrades(..)`";

/// One field that is a row of its own, checked.
pub struct Slot {
    /// Its name in the source.
    pub ident: Ident,
    /// Its name in the store.
    pub name: String,
    /// What is in it.
    pub content: Type,
    /// The versions of that.
    pub schema: Schema,
    /// Where the name is written.
    name_span: Span,
}

impl Slot {
    /// Reads a field of the state, and takes our attributes off it. `None` if it is no slot.
    pub fn take(field: &mut Field, problems: &mut Problems) -> Option<Slot> {
        let (ours, rest) = std::mem::take(&mut field.attrs)
            .into_iter()
            .partition::<Vec<Attribute>, _>(|a| a.path().is_ident("quark"));
        field.attrs = rest;
        let ident = field.ident.clone()?;
        let Some(content) = content_of(&field.ty) else {
            for attribute in &ours {
                problems.add(
                    attribute,
                    "only a slot has options",
                    "write its type as `Slot<..>`, or remove this",
                );
            }
            return None;
        };
        let mut slot = Slot {
            name: ident.unraw().to_string(),
            name_span: ident.span(),
            ident,
            content,
            schema: Schema::default(),
        };
        for attribute in &ours {
            slot.read_options(attribute, problems);
        }
        slot.check_name(problems);
        slot.schema.check(true, problems);
        slot.take_out_of_the_record(field, problems);
        Some(slot)
    }

    fn read_options(&mut self, attribute: &Attribute, problems: &mut Problems) {
        let Meta::List(list) = &attribute.meta else {
            return problems.add(attribute, "`#[quark(..)]` says nothing", KNOWN);
        };
        let metas = match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()) {
            Ok(metas) => metas,
            Err(error) => {
                return problems.add(attribute, format!("the options cannot be read: {error}"), KNOWN);
            }
        };
        for meta in &metas {
            match meta.path().get_ident().map(ToString::to_string).as_deref() {
                Some("name") => match string_of(meta) {
                    Some(name) => self.set_name(&name),
                    None => problems.add(meta, "the name is a string", KNOWN),
                },
                Some("version") => self.schema.read_version(meta, problems),
                Some("upgrades") => self.schema.read_upgrades(meta, problems),
                _ => problems.add(meta, "a slot has no such option", KNOWN),
            }
        }
    }

    fn set_name(&mut self, name: &LitStr) {
        (self.name, self.name_span) = (name.value(), name.span());
    }

    fn check_name(&self, problems: &mut Problems) {
        let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(fits) {
            problems.push(syn::Error::new(
                self.name_span,
                format!(
                    "`{}` cannot be the name of a slot\n\
                     help: give it 1 to 64 characters of a-z, 0-9, '.', '_' and '-', as in `#[quark(name = \"history\")]`",
                    self.name
                ),
            ));
        }
    }

    /// What is encoded with the state does not have it.
    fn take_out_of_the_record(&self, field: &mut Field, problems: &mut Problems) {
        for attribute in &field.attrs {
            let path = attribute.path();
            if path.is_ident("serde") {
                problems.add(
                    attribute,
                    "a slot is no part of the state's record: what serde is told of the field does not matter",
                    "remove it; attributes within the type of the slot are heeded",
                );
            } else if path.is_ident("cfg") || path.is_ident("cfg_attr") {
                problems.add(
                    attribute,
                    "a slot cannot depend on `cfg`: every silo of a cluster reads what the others wrote",
                    "remove it",
                );
            }
        }
        field.attrs.push(syn::parse_quote!(#[serde(skip)]));
    }
}

/// What is in a slot, by the name of its type: an alias is found out by the compiler, for a slot is no serde type.
pub fn content_of(ty: &Type) -> Option<Type> {
    let (ident, types) = tokens::last_segment(ty)?;
    if ident != "Slot" {
        return None;
    }
    match types[..] {
        [content] => Some(content.clone()),
        _ => None,
    }
}

/// Notes what is wrong with them together.
pub fn check(slots: &[Slot], problems: &mut Problems) {
    if let Some(beyond) = slots.get(SLOTS_MAX) {
        problems.push(syn::Error::new(
            beyond.ident.span(),
            format!(
                "a state has at most {SLOTS_MAX} slots, and this one has {}\n\
                 help: put what changes together into one slot",
                slots.len()
            ),
        ));
    }
    for (at, slot) in slots.iter().enumerate() {
        if let Some(first) = slots[..at].iter().find(|first| first.name == slot.name) {
            problems.push(syn::Error::new(
                slot.name_span,
                format!(
                    "the slots `{}` and `{}` have one name in the store\n\
                     help: give each a name of its own",
                    first.ident, slot.ident
                ),
            ));
        }
    }
}
