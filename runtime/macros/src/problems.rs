//! Everything that is wrong with a block, said at once.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Default)]
pub struct Problems(Option<syn::Error>);

impl Problems {
    /// Adds a mistake at `place`: what is wrong, and what to write instead.
    pub fn add(&mut self, place: impl ToTokens, what: impl std::fmt::Display, help: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(place, format!("{what}\nhelp: {help}")));
    }

    /// Adds an error that is already spanned.
    pub fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    /// The errors as `compile_error!` invocations; `None` if there are none.
    pub fn into_compile_error(self) -> Option<TokenStream> {
        self.0.map(|error| error.into_compile_error())
    }
}
