//! `#[quark::state]`: takes the slots out of a struct's record, and writes the list of them.

use crate::expand::{decode_state, local, span_of};
use crate::problems::Problems;
use crate::slots::{self, Slot};
use crate::tokens;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Fields, Ident, ItemStruct, Type};

/// The whole macro: the struct and its list, or the struct and everything that is wrong with it.
pub fn state(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    if !options.is_empty() {
        problems.add(
            options,
            "`#[quark::state]` takes no options",
            "those of a slot are on its field, as `#[quark(version = 2, upgrades(HistoryV1))]`",
        );
    }
    let mut state: ItemStruct = match syn::parse2(item.clone()) {
        Ok(state) => state,
        Err(_) => {
            problems.push(syn::Error::new(
                Span::call_site(),
                "`#[quark::state]` goes on a struct\n\
                 help: its fields of type `Slot<..>` are stored as rows of their own; an enum can be what is in a slot",
            ));
            let errors = problems.into_compile_error();
            return quote!(#item #errors);
        }
    };
    let slots = read(&mut state, &mut problems);
    match problems.into_compile_error() {
        None => {
            let list = list(&state.ident, &slots);
            quote!(#state #list)
        }
        // The struct stays, so that its other users do not fail for want of it.
        errors => quote!(#state #errors),
    }
}

fn read(state: &mut ItemStruct, problems: &mut Problems) -> Vec<Slot> {
    if !state.generics.params.is_empty() {
        problems.add(
            &state.generics.params,
            "the state of an actor has no generic parameters: one kind is one type on the wire",
            "write the types out",
        );
    }
    if let Fields::Unnamed(fields) = &state.fields {
        for field in fields.unnamed.iter().filter(|field| slots::content_of(&field.ty).is_some()) {
            problems.add(
                field,
                "a slot is stored under its name, and this field has none",
                "write `struct Account { balance: u64, history: Slot<..> }`",
            );
        }
    }
    let slots: Vec<Slot> = state.fields.iter_mut().filter_map(|field| Slot::take(field, problems)).collect();
    slots::check(&slots, problems);
    slots
}

fn list(state: &Ident, slots: &[Slot]) -> TokenStream {
    let rows = slots.iter().map(|slot| row(state, slot));
    quote! {
        #[allow(
            deprecated, private_interfaces, clippy::all, clippy::pedantic,
            reason = "what the macro writes answers to the macro's tests, not to the user's lints"
        )]
        const _: () = {
            impl ::quark::generated::Slotted for #state {
                const SLOTS: &'static [::quark::generated::SlotField<Self>] = &[#(#rows),*];
            }

            // The macro and the runtime count alike.
            ::core::assert!(
                <#state as ::quark::generated::Slotted>::SLOTS.len() <= ::quark::generated::SLOTS_MAX
            );
        };
    }
}

fn row(actor: &Ident, slot: &Slot) -> TokenStream {
    let Slot { ident, name, schema, .. } = slot;
    let whole: Type = syn::parse_quote!(#actor);
    let content: Type = syn::parse2(tokens::without_self(slot.content.to_token_stream(), &whole))
        .expect("a type is a type whatever its names");
    let current = schema.version;
    let (state, version, bytes) = (local("state"), local("version"), local("bytes"));
    let decode = decode_state(schema, &content, &version, &bytes);
    // Spanned at the type: this is the place where one that is no serde type is reported.
    let encode = quote_spanned!(span_of(&content)=> ::quark::generated::encode_slot::<#content>(&#state.#ident, #current));
    quote! {
        ::quark::generated::SlotField {
            name: #name,
            version: #current,
            stamp: |#state| ::quark::generated::slot_stamp(&#state.#ident),
            encode: |#state| #encode,
            load: |#state, #version, #bytes| {
                #state.#ident = ::quark::generated::Slot::new({ #decode }?);
                ::core::result::Result::Ok(())
            },
            to_json: |#state| ::quark::generated::slot_to_json(&#state.#ident),
        }
    }
}
