//! The right to answer for points that were open here and are owned by another silo now.

use super::span::Spans;
use crate::{Instant, SiloId, ViewVersion};
use serde::Serialize;

/// The right, for points that were lost together.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Token {
    pub spans: Spans,
    /// The last view in which the points were ours: no placement of ours is newer.
    pub owned_until: ViewVersion,
    pub given: Option<Given>,
}

/// To whom the token went. The entries stay for a while, in case the last page got lost.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Given {
    pub to: SiloId,
    pub request: u64,
    pub keep_until: Instant,
}

impl Token {
    fn expires(&self) -> Instant {
        self.given.as_ref().map_or(Instant::NEVER, |g| g.keep_until)
    }
}

/// All tokens of a silo. No two are for one point.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Tokens {
    list: Vec<Token>,
    /// Their points together: nearly every question is about others, and there may be hundreds of tokens.
    spans: Spans,
    expires: Instant,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { list: Vec::new(), spans: Spans::none(), expires: Instant::NEVER }
    }
}

impl Tokens {
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.list.iter()
    }

    /// Every point that there is a token for.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// When the first of those that were given away need not be kept any more.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// Whether some token has not been given away.
    pub fn has_ungiven(&self) -> bool {
        self.list.iter().any(|t| t.given.is_none())
    }

    /// Adds one. Its points have no token.
    pub fn push(&mut self, token: Token) {
        self.change(|list| list.push(token));
    }

    /// Changes the tokens; those that are left without a point go.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut Vec<Token>) -> R) -> R {
        let result = change(&mut self.list);
        self.list.retain(|t| !t.spans.is_empty());
        self.spans = Spans::of(self.list.iter().flat_map(|t| t.spans.iter()));
        self.find_expiry();
        result
    }

    /// There is no token for these points any more.
    pub fn destroy(&mut self, spans: &Spans) {
        for token in self.list.iter_mut().filter(|t| t.spans.meets(spans)) {
            token.spans = token.spans.minus(spans);
        }
        self.list.retain(|t| !t.spans.is_empty());
        self.spans = self.spans.minus(spans);
        self.find_expiry();
    }

    fn find_expiry(&mut self) {
        self.expires = self.list.iter().map(Token::expires).min().unwrap_or(Instant::NEVER);
    }

    /// Takes out those that were given away long enough ago.
    pub fn expire(&mut self, now: Instant) -> Vec<Token> {
        if now < self.expires {
            return Vec::new();
        }
        self.change(|list| list.extract_if(.., |t| t.expires() <= now).collect())
    }

    /// Panics: if two tokens are for one point.
    pub fn check(&self) {
        let mut kept = Spans::none();
        for token in &self.list {
            assert!(!token.spans.is_empty() && !token.spans.meets(&kept), "two tokens for one point");
            kept = kept.union(&token.spans);
        }
        assert_eq!(kept, self.spans, "the points of all tokens");
    }
}
