//! Types as text and as tokens: one spelling for the contract, whatever the source's spacing.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type};

/// The one spelling of a type: it depends on tokens only, never on spacing, line breaks or the compiler's printer.
pub fn text(tokens: impl ToTokens) -> String {
    let mut out = String::new();
    write(tokens.into_token_stream(), &mut out);
    out
}

fn write(tokens: TokenStream, out: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) => word(&ident.to_string(), out),
            TokenTree::Literal(literal) => word(&literal.to_string(), out),
            TokenTree::Punct(punct) => match punct.as_char() {
                // A trailing comma changes nothing before `>`, and makes a tuple before `)`.
                ',' => match tokens.peek() {
                    Some(TokenTree::Punct(next)) if next.as_char() == '>' => {}
                    None => out.push(','),
                    Some(_) => out.push_str(", "),
                },
                ';' => out.push_str("; "),
                '+' => out.push_str(" + "),
                other => out.push(other),
            },
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                out.push_str(open);
                write(group.stream(), out);
                out.push_str(close);
            }
        }
    }
}

fn word(word: &str, out: &mut String) {
    if out.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        out.push(' ');
    }
    out.push_str(word);
}

/// `tokens` with every `Self` replaced: the reference is another type than the actor.
pub fn without_self(tokens: TokenStream, actor: &Type) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => actor.to_token_stream(),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_self(group.stream(), actor));
                inner.set_span(group.span());
                TokenTree::Group(inner).into()
            }
            other => other.into(),
        })
        .collect()
}

/// What a type has that cannot cross the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Borrowed {
    /// A reference.
    Reference,
    /// A lifetime other than `'static`.
    Lifetime,
    /// `impl Trait`.
    ImplTrait,
}

/// Searches a type, however deep.
pub fn borrowed(tokens: TokenStream) -> Option<Borrowed> {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        let found = match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => Some(Borrowed::Reference),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "static" => None,
                _ => Some(Borrowed::Lifetime),
            },
            TokenTree::Ident(ident) if ident == "impl" => Some(Borrowed::ImplTrait),
            TokenTree::Group(group) => borrowed(group.stream()),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A type without the invisible group that a `macro_rules!` fragment leaves around it, and without parentheses.
pub fn peeled(mut ty: &Type) -> &Type {
    loop {
        match ty {
            Type::Group(group) => ty = &group.elem,
            Type::Paren(paren) => ty = &paren.elem,
            other => return other,
        }
    }
}

/// The name of the last segment of a path type, and its generic arguments that are types.
pub fn last_segment(ty: &Type) -> Option<(&syn::Ident, Vec<&Type>)> {
    let Type::Path(path) = peeled(ty) else { return None };
    let segment = path.path.segments.last()?;
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(generic) => generic
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((&segment.ident, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        let tokens: TokenStream = source.parse().expect("tokens");
        assert_eq!(text(tokens), expect);
    }

    #[test]
    fn a_type_has_one_spelling() {
        check("Vec<u8>", "Vec<u8>");
        check("Vec < u8 , >", "Vec<u8>");
        check("BTreeMap<String,Vec<u8>>", "BTreeMap<String, Vec<u8>>");
        check("( u64 , )", "(u64,)");
        check("[u8;4]", "[u8; 4]");
        check("Box<dyn Fn(u8)->u8+Send>", "Box<dyn Fn(u8)->u8 + Send>");
        check("crate :: bank :: Money", "crate::bank::Money");
        check("Cow<'static,str>", "Cow<'static, str>");
    }

    #[test]
    fn a_borrow_is_found_however_deep() {
        let found = |source: &str| borrowed(source.parse().expect("tokens"));
        assert!(found("Option<(u8, &str)>") == Some(Borrowed::Reference));
        assert!(found("Cow<'a, str>") == Some(Borrowed::Lifetime));
        assert!(found("Vec<impl Into<u8>>") == Some(Borrowed::ImplTrait));
        assert!(found("Cow<'static, str>").is_none());
    }

    #[test]
    fn self_becomes_the_actor_inside_groups_too() {
        let actor: Type = syn::parse_str("Account").expect("type");
        let tokens: TokenStream = "(Option<Self>, u8)".parse().expect("tokens");
        assert_eq!(text(without_self(tokens, &actor)), "(Option<Account>, u8)");
    }
}
