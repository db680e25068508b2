//! What crosses the wire with a call: its arguments in order, its result, its refusal.
//!
//! serde has no word for `Vec<u8>`: it is a list, and each byte is written and read as a number, ten instructions a time.
//! Here it travels as the bytes that it is. The frame is the same, a length and the bytes, so either end may do either.

use bytes::Bytes;
use quark_core::codec::{self, CodecError, CodecLimits};
use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::any::Any;
use std::fmt;

/// A type that crosses the wire: any owned serde type. It exists for its error message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross the wire: it is no owned serde type",
    label = "argument, result or error of an actor method",
    note = "help: add `#[derive(Serialize, Deserialize)]` to a type of yours; one of another crate may have a `serde` feature"
)]
pub trait Portable: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Portable for T {}

/// The arguments of a method: a tuple, in order.
pub trait Arguments: Sized {
    /// Writes them, within the usual limits.
    fn encode(&self) -> Result<Bytes, CodecError>;
    /// Reads them, within the usual limits.
    fn decode(bytes: &[u8]) -> Result<Self, CodecError>;
}

impl Arguments for () {
    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok(Bytes::new())
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, CodecLimits::default())
    }
}

macro_rules! arguments {
    ($($name:ident $field:tt)+) => {
        impl<$($name: Portable),+> Arguments for ($($name,)+) {
            fn encode(&self) -> Result<Bytes, CodecError> {
                let lent = ($(Lent(&self.$field),)+);
                codec::encode(&lent, CodecLimits::default().bytes_max)
            }

            fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
                let taken: ($(Taken<$name>,)+) = codec::decode(bytes, CodecLimits::default())?;
                Ok(($(taken.$field.0,)+))
            }
        }
    };
}

arguments!(A 0);
arguments!(A 0 B 1);
arguments!(A 0 B 1 C 2);
arguments!(A 0 B 1 C 2 D 3);
arguments!(A 0 B 1 C 2 D 3 E 4);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15);

/// Writes a result or a refusal.
pub(crate) fn encode<T: Serialize + 'static>(value: &T) -> Result<Bytes, CodecError> {
    codec::encode(&Lent(value), CodecLimits::default().bytes_max)
}

/// Reads a result or a refusal.
pub(crate) fn decode<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T, CodecError> {
    codec::decode::<Taken<T>>(bytes, CodecLimits::default()).map(|taken| taken.0)
}

/// A value that is written: a `Vec<u8>` as bytes. What it is, is known to the compiler.
struct Lent<'a, T>(&'a T);

impl<T: Serialize + 'static> Serialize for Lent<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0 as &dyn Any).downcast_ref::<Vec<u8>>() {
            Some(bytes) => serializer.serialize_bytes(bytes),
            None => self.0.serialize(serializer),
        }
    }
}

/// A value that was read: a `Vec<u8>` as bytes.
struct Taken<T>(T);

impl<'de, T: Deserialize<'de> + 'static> Deserialize<'de> for Taken<T> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut place: Option<T> = None;
        match (&mut place as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>() {
            Some(bytes) => *bytes = Some(deserializer.deserialize_byte_buf(InBytes)?),
            None => place = Some(T::deserialize(deserializer)?),
        }
        Ok(Self(place.expect("either arm has filled it")))
    }
}

/// Reads bytes, however they come.
struct InBytes;

impl<'de> Visitor<'de> for InBytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
