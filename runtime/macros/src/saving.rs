//! When the state is committed: `durable`, `write_behind = ".."` or `save = manual`.

use crate::options::{string_of, value_of};
use crate::problems::Problems;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, Meta};

/// What the author chose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    /// Nothing is stored.
    Never,
    /// Before each reply.
    EachTurn,
    /// At most so many milliseconds later.
    Behind(u64),
    /// When the actor says so.
    Manual,
}

/// The shortest and the longest write-behind, in milliseconds.
const BEHIND_MS: std::ops::RangeInclusive<u64> = 10..=3_600_000;

impl Saving {
    /// Reads one of the three options.
    pub fn read(&mut self, name: &str, meta: &Meta, problems: &mut Problems) {
        if *self != Saving::Never {
            problems.add(
                meta,
                "the state is committed in one way",
                "keep one of `durable` (before each reply), `write_behind = \"..\"` (later, by itself) and \
                 `save = manual` (by `ctx.save(self)`)",
            );
        }
        *self = match name {
            "durable" => {
                if !matches!(meta, Meta::Path(_)) {
                    problems.add(meta, "`durable` takes no value", "write `durable`, or leave it out");
                }
                Saving::EachTurn
            }
            "save" => {
                let manual = matches!(value_of(meta), Some(Expr::Path(path)) if path.path.is_ident("manual"));
                if !manual {
                    problems.add(
                        meta,
                        "there is one way to save, `manual`",
                        "write `save = manual`, or `durable` for a commit before each reply",
                    );
                }
                Saving::Manual
            }
            _ => match string_of(meta).and_then(|text| milliseconds(&text.value())) {
                Some(interval) if BEHIND_MS.contains(&interval) => Saving::Behind(interval),
                _ => {
                    problems.add(
                        meta,
                        "the interval is a text of a whole number and `ms`, `s` or `m`, from 10ms to 60m",
                        "write `write_behind = \"500ms\"`",
                    );
                    Saving::Behind(*BEHIND_MS.end())
                }
            },
        };
    }

    /// Whether the state is stored at all.
    pub fn is_stored(self) -> bool {
        self != Saving::Never
    }

    /// The constant of the trait.
    pub fn written(self) -> TokenStream {
        match self {
            // Of a kind without a stored state nobody asks.
            Saving::Never | Saving::EachTurn => quote!(::quark::generated::Save::EachTurn),
            Saving::Behind(ms) => {
                quote!(::quark::generated::Save::Behind(::core::time::Duration::from_millis(#ms)))
            }
            Saving::Manual => quote!(::quark::generated::Save::Manual),
        }
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let each = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(each)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn an_interval_is_a_number_and_a_unit() {
        let check = |text: &str, ms: Option<u64>| assert_eq!(milliseconds(text), ms, "{text:?}");
        check("500ms", Some(500));
        check("2s", Some(2_000));
        check("60m", Some(3_600_000));
        check("1h", None);
        check("s", None);
        check("500", None);
        check("1.5s", None);
        check("-1s", None);
        check("99999999999999999999s", None);
    }
}
