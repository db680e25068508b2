//! What the macro writes.
//!
//! Locals of the written code carry a mixed-site span, so that no name of an argument can capture them. Types carry
//! the span of their source, so that the compiler points there when a bound fails.

use crate::arguments::Argument;
use crate::block::{self, ActorBlock};
use crate::contract;
use crate::hook::Hook;
use crate::method::Method;
use crate::options::Options;
use crate::problems::Problems;
use crate::schema::Schema;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

/// The whole macro: the block, or the block and everything that is wrong with it.
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let options = Options::read(options, &mut problems);
    let Some(mut block) = block::parse(item.clone(), &mut problems) else {
        let errors = problems.into_compile_error();
        return quote!(#item #errors);
    };
    let read = ActorBlock::read(&mut block, &mut problems);
    match (read, problems.into_compile_error()) {
        (Some(read), None) => {
            let written = actor_items(&options, &read);
            quote!(#block #written)
        }
        // The block stays, so that its other users do not fail for want of it.
        (_, errors) => quote!(#block #errors),
    }
}

fn actor_items(options: &Options, block: &ActorBlock) -> TokenStream {
    let reference = format_ident!("{}Ref", block.ident);
    let about = format!(
        "A reference to an actor of kind `{}`: cheap to clone, and making one does no I/O.",
        options.kind
    );
    let contract = contract_items(options, block);
    let methods = block.methods.iter().enumerate().map(|(at, method)| reference_method(at, method));
    let implementation = actor_impl(options, block, &reference);
    quote! {
        #[doc = #about]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        pub struct #reference(::quark::generated::ActorHandle);

        #[allow(
            dead_code, deprecated, private_interfaces, unused_imports, unused_variables, clippy::all, clippy::pedantic,
            reason = "what the macro writes answers to the macro's tests, not to the user's lints"
        )]
        const _: () = {
            #contract

            impl #reference {
                /// Which actor it refers to.
                pub fn id(&self) -> &::quark::generated::ActorId {
                    self.0.id()
                }

                #(#methods)*
            }

            #implementation
        };
    }
}

/// The statics: the table of methods, and the contract.
fn contract_items(options: &Options, block: &ActorBlock) -> TokenStream {
    let kind = &options.kind;
    let digest = hex64(contract::contract_digest(kind, &block.methods));
    let count = block.methods.len();
    let rows = block.methods.iter().map(method_row);
    let ids = block.methods.iter().map(|method| {
        let (name, id) = (&method.name, hex32(method.id));
        // The first numbers are for the errands of the runtime itself.
        quote!(::core::assert!(::quark::generated::method_id(#name).0 == #id && #id > 15);)
    });
    quote! {
        static METHODS: [::quark::generated::Method; #count] = [#(#rows),*];

        static CONTRACT: ::quark::generated::Contract =
            ::quark::generated::Contract { kind: #kind, methods: &METHODS, digest: #digest };

        // The macro and the runtime hash names alike.
        const _: () = { #(#ids)* };
    }
}

fn method_row(method: &Method) -> TokenStream {
    let (id, name) = (hex32(method.id), &method.name);
    let access = if method.shared { quote!(Shared) } else { quote!(Exclusive) };
    let arguments = method.arguments.iter().map(|Argument { name, kind, .. }| quote!((#name, #kind)));
    let (json, value) = (local("json"), local("value"));
    let fields = fields(method);
    let takes = method.arguments.iter().zip(&fields).enumerate().map(|(at, (argument, field))| {
        let ty = &argument.ty;
        // Spanned at the type: this is the place where an argument that is no serde type is reported.
        let take = quote_spanned!(span_of(ty)=> #json.take::<#ty>(#at)?);
        quote!(let #field = #take;)
    });
    let table: Vec<TokenStream> = arguments.collect();
    let success = &method.success;
    let result_to_json = quote_spanned!(span_of(success)=> ::quark::generated::to_json::<#success>);
    let error_to_json = match &method.refusal {
        Some(refusal) => quote_spanned!(span_of(refusal)=> ::quark::generated::to_json::<#refusal>),
        None => quote!(::quark::generated::never_to_json),
    };
    quote! {
        ::quark::generated::Method {
            id: ::quark::generated::MethodId(#id),
            name: #name,
            access: ::quark::generated::Access::#access,
            arguments: &[#(#table),*],
            arguments_from_json: |#value| {
                let #json = ::quark::generated::JsonArguments::open(#value, &[#(#table),*])?;
                #(#takes)*
                #json.encode(&(#(#fields,)*))
            },
            result_to_json: #result_to_json,
            error_to_json: #error_to_json,
        }
    }
}

fn reference_method(at: usize, method: &Method) -> TokenStream {
    let Method { ident, docs, success, .. } = method;
    let about = docs.is_empty().then(|| {
        let about = format!("Calls `{ident}`.");
        quote!(#[doc = #about])
    });
    let names = fields(method);
    let types = method.arguments.iter().map(|a| &a.ty);
    let (call, refusal) = match &method.refusal {
        Some(refusal) => (quote!(call), refusal.to_token_stream()),
        None => (quote!(call_infallible), quote!(::core::convert::Infallible)),
    };
    quote! {
        #about
        #(#docs)*
        pub fn #ident(&self #(, #names: #types)*) -> ::quark::generated::Call<#success, #refusal> {
            self.0.#call(&METHODS[#at], ::quark::generated::encode_arguments(&(#(#names,)*)))
        }
    }
}

fn actor_impl(options: &Options, block: &ActorBlock, reference: &Ident) -> TokenStream {
    let Options { kind, saving, placement, schema } = options;
    let (durable, save) = (saving.is_stored(), saving.written());
    let actor = &block.actor;
    let span = span_of(actor);
    let (handle, bytes, version) = (local("handle"), local("bytes"), local("version"));
    let current = schema.version;
    let slots = slots(actor);
    let create = quote_spanned!(span=> <#actor as ::core::default::Default>::default());
    let (encode, decode) = if durable {
        (
            quote_spanned!(span=> ::quark::generated::encode_durable_state::<#actor>(self, #current)),
            decode_state(schema, actor, &version, &bytes),
        )
    } else {
        (
            quote!(::quark::generated::no_state_to_encode(#kind)),
            quote!(::quark::generated::no_state_to_decode(#kind)),
        )
    };
    let on_activate = block.on_activate.as_ref().map(on_activate);
    let on_deactivate = block.on_deactivate.as_ref().map(on_deactivate);
    let call_mut = dispatch(&block.methods, false);
    let call_ref = dispatch(&block.methods, true);
    let no_slots = (!durable).then(|| no_slots(kind, actor));
    quote! {
        #no_slots

        impl ::quark::generated::Actor for #actor {
            const KIND: &'static str = #kind;
            const DURABLE: bool = #durable;
            const PLACEMENT: ::quark::generated::Placement = #placement;
            const SAVE: ::quark::generated::Save = #save;
            const STATE_VERSION: u32 = #current;
            const SLOTS: &'static [::quark::generated::SlotField<Self>] = #slots;

            type Ref = #reference;

            fn contract() -> &'static ::quark::generated::Contract {
                &CONTRACT
            }

            fn reference(#handle: ::quark::generated::ActorHandle) -> #reference {
                #reference(#handle)
            }

            fn create(_: &::quark::generated::ActorId) -> Self {
                #create
            }

            fn encode_state(&self) -> ::core::result::Result<::quark::generated::Bytes, ::quark::generated::CodecError> {
                #encode
            }

            fn decode_state(
                #version: u32,
                #bytes: &[u8],
            ) -> ::core::result::Result<Self, ::quark::generated::CodecError> {
                #decode
            }

            #on_activate
            #on_deactivate
            #call_mut
            #call_ref
        }
    }
}

/// The list of the state's slots, which its own macro has written if it has any.
fn slots(actor: &Type) -> TokenStream {
    let table = quote_spanned!(span_of(actor)=> ::quark::generated::SlotsOf::<#actor>::TABLE);
    quote! {{
        use ::quark::generated::WithoutSlots as _;
        #table
    }}
}

/// A state that is not stored has none.
fn no_slots(kind: &str, actor: &Type) -> TokenStream {
    let refusal = format!(
        "`{kind}` is not stored and cannot have slots: add `durable` (or `write_behind`, or `save`), or write the fields \
         without `Slot<..>`"
    );
    let table = slots(actor);
    quote_spanned!(span_of(actor)=> const _: () = ::core::assert!(#table.is_empty(), #refusal);)
}

/// One arm for each version, and a chain of functions that leads from each to the next.
pub fn decode_state(schema: &Schema, actor: &Type, version: &Ident, bytes: &Ident) -> TokenStream {
    let current = schema.version;
    let shapes: Vec<&Type> = schema.upgrades.iter().chain([actor]).collect();
    let step = |version: usize| format_ident!("from_{version}");
    let steps = shapes.windows(2).enumerate().map(|(at, pair)| {
        let (old, new, this) = (pair[0], pair[1], step(at + 1));
        let state = local("state");
        // Spanned at the older shape: this is the place where a step that is missing is reported.
        let upgraded = quote_spanned!(span_of(old)=> ::quark::generated::upgrade_state::<#old, #new>(#state));
        let upgraded = match at + 2 < shapes.len() {
            true => {
                let next = step(at + 2);
                quote!(#next(#upgraded))
            }
            false => upgraded,
        };
        quote!(fn #this(#state: #old) -> #actor { #upgraded })
    });
    let arms = schema.upgrades.iter().zip(1_u32..).map(|(old, number)| {
        let this = step(number as usize);
        let decode = quote_spanned!(span_of(old)=> ::quark::generated::decode_old_state::<#old>(#bytes));
        quote!(#number => #decode.map(#this),)
    });
    let decode = quote_spanned!(span_of(actor)=> ::quark::generated::decode_durable_state::<#actor>(#bytes));
    quote! {
        #(#steps)*
        match #version {
            #(#arms)*
            #current => #decode,
            _ => ::quark::generated::unknown_state_version::<#actor>(#version),
        }
    }
}

fn on_activate(hook: &Hook) -> TokenStream {
    let ctx = local("ctx");
    let run = run_hook(hook, &ctx);
    let outcome = match hook.fallible {
        true => quote!(::quark::generated::activation(#run)),
        false => quote!({ #run; ::core::result::Result::Ok(()) }),
    };
    quote! {
        fn on_activate<'a>(
            &'a mut self,
            #ctx: &'a ::quark::generated::ActorContext,
        ) -> ::quark::generated::BoxFuture<'a, ::core::result::Result<(), ::std::string::String>> {
            ::std::boxed::Box::pin(async move { #outcome })
        }
    }
}

fn on_deactivate(hook: &Hook) -> TokenStream {
    let ctx = local("ctx");
    let run = run_hook(hook, &ctx);
    quote! {
        fn on_deactivate<'a>(
            &'a mut self,
            #ctx: &'a ::quark::generated::ActorContext,
        ) -> ::quark::generated::BoxFuture<'a, ()> {
            ::std::boxed::Box::pin(async move { #run; })
        }
    }
}

fn run_hook(hook: &Hook, ctx: &Ident) -> TokenStream {
    let ident = &hook.ident;
    let context = hook.takes_context.then_some(ctx);
    let wait = hook.is_async.then(|| quote!(.await));
    quote!(Self::#ident(self, #context)#wait)
}

/// `call_mut` or `call_ref`: one arm for each method with that access.
fn dispatch(methods: &[Method], shared: bool) -> TokenStream {
    let (ctx, method, args) = (local("ctx"), local("method"), local("args"));
    let arms = methods.iter().filter(|m| m.shared == shared).map(|m| arm(m, &ctx, &args));
    let (name, receiver) = match shared {
        true => (quote!(call_ref), quote!(&'a self)),
        false => (quote!(call_mut), quote!(&'a mut self)),
    };
    quote! {
        fn #name<'a>(
            #receiver,
            #ctx: &'a ::quark::generated::ActorContext,
            #method: ::quark::generated::MethodId,
            #args: &'a [u8],
        ) -> ::quark::generated::Dispatch<'a> {
            match #method {
                #(#arms)*
                _ => ::quark::generated::Dispatch::Ready(
                    ::core::result::Result::Err(::quark::generated::MethodError::UnknownMethod),
                ),
            }
        }
    }
}

fn arm(method: &Method, ctx: &Ident, args: &Ident) -> TokenStream {
    let (id, ident, error) = (hex32(method.id), &method.ident, local("error"));
    let types = method.arguments.iter().map(|a| &a.ty);
    let fields = fields(method);
    let context = method.takes_context.then(|| quote!(#ctx,));
    let returned = match method.refusal {
        Some(_) => quote!(returned_result),
        None => quote!(returned),
    };
    let run = quote!(Self::#ident(self, #context #(#fields),*));
    let dispatch = match method.is_async {
        // Spanned at the name: this is the place where a future that is not `Send` is reported.
        true => quote_spanned! {span_of(ident)=>
            Future(::std::boxed::Box::pin(async move { ::quark::generated::#returned(#run.await) }))
        },
        false => quote!(Ready(::quark::generated::#returned(#run))),
    };
    quote! {
        ::quark::generated::MethodId(#id) => {
            match ::quark::generated::decode_arguments::<(#(#types,)*)>(#args) {
                ::core::result::Result::Ok((#(#fields,)*)) => ::quark::generated::Dispatch::#dispatch,
                ::core::result::Result::Err(#error) => {
                    ::quark::generated::Dispatch::Ready(::core::result::Result::Err(#error))
                }
            }
        }
    }
}

/// The decoded arguments, under the author's own names: those cannot meet the locals of [`local`].
fn fields(method: &Method) -> Vec<&Ident> {
    method.arguments.iter().map(|argument| &argument.ident).collect()
}

/// A name that no name of the author's can meet.
pub fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Where the compiler is to point; names in the written code mean the same as everywhere else in it.
pub fn span_of(source: &impl Spanned) -> Span {
    Span::call_site().located_at(source.span())
}

fn hex32(number: u32) -> Literal {
    format!("{number:#010x}u32").parse().expect("a literal")
}

fn hex64(number: u64) -> Literal {
    format!("{number:#018x}u64").parse().expect("a literal")
}
