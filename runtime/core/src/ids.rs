//! Names of things: silos, actors, and the four numbers that must never be swapped.
//!
//! *generation* counts a silo's incarnations, *view* the versions of the membership table, *epoch* the
//! activations of an actor, *version* the writes of a record. Each is its own type.

use crate::hash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            #[inline]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A silo's incarnation: a silo that restarts under its name has a higher one.
    Generation
}
number! {
    /// A version of the membership table: that of its row `view` in the store. Totally ordered, monotone on each silo.
    ViewVersion
}
number! {
    /// An activation's fencing number, kept in the actor's partition: never reused, strictly growing.
    Epoch
}
number! {
    /// A record's E-Tag: the number of the commit, in its partition, that wrote it. Never reissued.
    Version
}

/// Identifies one attempt to commit, so that a retry of the same batch is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct WriteId(pub u128);

/// A method's stable wire number, derived from its name by the macro (a collision is a compile error).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct MethodId(pub u32);

/// The name of a silo or client: 1 to 31 characters of `a-z 0-9 . _ -`, kept inline so that it copies.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SiloName([u8; 32]);

/// By bytes, as the derived order would be: eight at a time, because the look-ups of every frame compare names, and a
/// call to the general comparison costs more than all else that they do.
impl Ord for SiloName {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (ours, theirs) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let words = ours.iter().zip(theirs).map(|(a, b)| (u64::from_be_bytes(*a), u64::from_be_bytes(*b)));
        for (a, b) in words {
            if a != b {
                return a.cmp(&b);
            }
        }
        std::cmp::Ordering::Equal
    }
}

impl PartialOrd for SiloName {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A name that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or too long.
    #[error("a silo name has 1 to 31 characters, `{name}` has {length}")]
    Length {
        /// What was given.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A character outside the alphabet.
    #[error("`{character}` in silo name `{name}`: only a-z, 0-9, '.', '_' and '-' are allowed")]
    Character {
        /// What was given.
        name: String,
        /// The first character that does not belong.
        character: char,
    },
}

impl SiloName {
    /// Checks and keeps a name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.len() > 31 {
            return Err(NameError::Length { name: name.into(), length: name.len() });
        }
        if let Some(character) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))
        {
            return Err(NameError::Character { name: name.into(), character });
        }
        let mut text = [0; 32];
        text[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|b| *b == 0).unwrap_or(32);
        std::str::from_utf8(&self.0[..length]).expect("a silo name is checked ASCII")
    }
}

impl fmt::Debug for SiloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SiloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for SiloName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SiloName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        SiloName::new(&text).map_err(serde::de::Error::custom)
    }
}

/// One incarnation of a silo (or of a client, which is a peer that hosts nothing).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiloId {
    /// The name, which survives restarts.
    pub name: SiloName,
    /// The incarnation, which does not.
    pub generation: Generation,
}

impl SiloId {
    /// Joins a checked name and a generation.
    pub const fn new(name: SiloName, generation: Generation) -> Self {
        Self { name, generation }
    }
}

impl fmt::Debug for SiloId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.generation)
    }
}

impl fmt::Display for SiloId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Who an actor is: (tenant, kind, key). Cheap to clone, hashed once.
///
/// The kind is a stable wire name; the key a UTF-8 string of at most [`ActorId::KEY_BYTES_MAX`] bytes.
#[derive(Clone)]
pub struct ActorId {
    text: Arc<str>,
    point: u64,
    tenant_length: u16,
    kind_length: u16,
}

/// An actor id that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActorIdError {
    /// The key is too long.
    #[error("an actor key has at most 512 bytes, this one has {length}: `{start}…`")]
    KeyTooLong {
        /// Its length in bytes.
        length: usize,
        /// Its first characters.
        start: String,
    },
    /// Kind or tenant is empty (kind), too long, or has a character outside the alphabet.
    #[error("`{text}` is no {what}: up to 64 characters of a-z, 0-9, '.', '_' and '-'")]
    Name {
        /// `kind` or `tenant`.
        what: &'static str,
        /// What was given.
        text: String,
    },
}

impl ActorId {
    /// The longest key.
    pub const KEY_BYTES_MAX: usize = 512;
    /// The longest kind or tenant.
    pub const NAME_BYTES_MAX: usize = 64;

    /// An actor of the default tenant (the empty name).
    pub fn new(kind: &str, key: &str) -> Result<Self, ActorIdError> {
        Self::of_tenant("", kind, key)
    }

    /// An actor of a tenant.
    pub fn of_tenant(tenant: &str, kind: &str, key: &str) -> Result<Self, ActorIdError> {
        let mut text = String::with_capacity(tenant.len() + kind.len() + key.len());
        text.push_str(tenant);
        text.push_str(kind);
        text.push_str(key);
        Self::from_text(&text, tenant.len(), kind.len())
    }

    /// An actor from its three texts joined, as it travels: what a decoder calls, with one allocation.
    ///
    /// Panics: never; lengths that do not fit the text are refused as a bad kind or tenant.
    pub(crate) fn from_text(
        text: &str,
        tenant_length: usize,
        kind_length: usize,
    ) -> Result<Self, ActorIdError> {
        let (bytes, names_length) = (text.as_bytes(), tenant_length.saturating_add(kind_length));
        let well_named = |s: &[u8]| {
            s.len() <= Self::NAME_BYTES_MAX
                && s.iter().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
        };
        let named = |what, s: &[u8]| {
            let text = String::from_utf8_lossy(s).chars().take(80).collect();
            ActorIdError::Name { what, text }
        };
        if names_length > bytes.len() {
            return Err(named("kind", bytes));
        }
        let (tenant, kind) = bytes[..names_length].split_at(tenant_length);
        if kind.is_empty() || !well_named(kind) {
            return Err(named("kind", kind));
        }
        if !well_named(tenant) {
            return Err(named("tenant", tenant));
        }
        // Tenant and kind are ASCII, so the key begins at a character.
        let key = &text[names_length..];
        if key.len() > Self::KEY_BYTES_MAX {
            return Err(ActorIdError::KeyTooLong {
                length: key.len(),
                start: key.chars().take(32).collect(),
            });
        }
        // The two lengths are the domain of the hash: ("ab","c") and ("a","bc") are different actors.
        Ok(Self {
            text: text.into(),
            point: hash::point_in((tenant_length as u64) << 16 | kind_length as u64, bytes),
            tenant_length: tenant_length as u16,
            kind_length: kind_length as u16,
        })
    }

    /// Tenant, kind and key, joined.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The tenant; empty for the default one.
    pub fn tenant(&self) -> &str {
        &self.text[..self.tenant_length as usize]
    }

    /// The kind: a stable wire name.
    pub fn kind(&self) -> &str {
        &self.text[self.tenant_length as usize..][..self.kind_length as usize]
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.text[self.tenant_length as usize + self.kind_length as usize..]
    }

    /// The actor's point on the ring.
    #[inline]
    pub fn point(&self) -> u64 {
        self.point
    }
}

impl PartialEq for ActorId {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
            && self.tenant_length == other.tenant_length
            && self.kind_length == other.kind_length
            && self.text == other.text
    }
}

impl Eq for ActorId {}

impl PartialOrd for ActorId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ActorId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.tenant(), self.kind(), self.key()).cmp(&(other.tenant(), other.kind(), other.key()))
    }
}

impl std::hash::Hash for ActorId {
    #[inline]
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.point);
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.tenant().is_empty() {
            write!(f, "{}:", self.tenant())?;
        }
        write!(f, "{}/{}", self.kind(), self.key())
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Serialize for ActorId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.tenant(), self.kind(), self.key()).serialize(s)
    }
}

impl<'de> Deserialize<'de> for ActorId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (tenant, kind, key) = <(String, String, String)>::deserialize(d)?;
        ActorId::of_tenant(&tenant, &kind, &key).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kinds_with_one_key_are_two_actors() {
        let (order, user) =
            (ActorId::new("order", "1").expect("valid"), ActorId::new("user", "1").expect("valid"));
        assert_ne!(order, user);
        let (left, right) =
            (ActorId::new("a", "bc").expect("valid"), ActorId::new("ab", "c").expect("valid"));
        assert_ne!(left, right);
        assert_ne!(left.point(), right.point());
    }

    #[test]
    fn a_bad_name_is_named() {
        assert!(SiloName::new("Silo 1").expect_err("capital").to_string().contains('S'));
        assert!(SiloName::new("").is_err());
        assert!(SiloName::new(&"x".repeat(32)).is_err());
        assert_eq!(SiloName::new(&"x".repeat(31)).expect("fits").as_str().len(), 31);
        assert!(ActorId::new("account", &"k".repeat(513)).is_err());
        assert!(ActorId::new("", "k").is_err());
    }
}
