//! A serializer that writes nothing: it learns the exact size of a value and checks the limits.
//!
//! It takes the place of bincode's own pass for the size, so the checks cost no pass of their own.

use super::{CodecError, CodecLimits};
use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt;

/// The size in bytes that a value has as bincode writes it with our options.
pub(super) fn measure<T: Serialize + ?Sized>(value: &T, limits: CodecLimits) -> Result<usize, CodecError> {
    let mut measure = Measure { bytes: 0, elements: 0, depth_left: limits.depth_max, limits };
    match value.serialize(&mut measure) {
        Ok(()) => Ok(measure.bytes),
        Err(Refused::Limit(error)) => Err(error),
        Err(Refused::Custom(reason)) => Err(CodecError::Malformed { of: std::any::type_name::<T>(), reason }),
    }
}

struct Measure {
    bytes: usize,
    elements: usize,
    depth_left: usize,
    limits: CodecLimits,
}

#[derive(Debug)]
enum Refused {
    Limit(CodecError),
    Custom(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Limit(error) => error.fmt(f),
            Refused::Custom(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Refused::Custom(reason.to_string())
    }
}

impl Measure {
    #[inline]
    fn add(&mut self, bytes: usize) -> Result<(), Refused> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes_max {
            let limit = self.limits.bytes_max;
            return Err(Refused::Limit(CodecError::TooLarge { bytes: self.bytes, limit }));
        }
        Ok(())
    }

    /// bincode's variable-length integers: one byte up to 250, else a marker and two, four, eight or sixteen.
    #[inline]
    fn integer(&mut self, value: u64) -> Result<(), Refused> {
        self.add(match value {
            0..=250 => 1,
            251..=0xFFFF => 3,
            0x1_0000..=0xFFFF_FFFF => 5,
            _ => 9,
        })
    }

    #[inline]
    fn signed(&mut self, value: i64) -> Result<(), Refused> {
        self.integer((value << 1 ^ value >> 63) as u64)
    }

    #[inline]
    fn wide(&mut self, value: u128) -> Result<(), Refused> {
        match u64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => self.add(17),
        }
    }

    #[inline]
    fn enter(&mut self) -> Result<&mut Self, Refused> {
        if self.depth_left == 0 {
            return Err(Refused::Limit(CodecError::TooDeep { limit: self.limits.depth_max }));
        }
        self.depth_left -= 1;
        Ok(self)
    }

    #[inline]
    fn leave(&mut self) -> Result<(), Refused> {
        self.depth_left += 1;
        Ok(())
    }

    #[inline]
    fn hold<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self.enter()?)?;
        self.leave()
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.elements += 1;
        if self.elements > self.limits.elements_max {
            return Err(Refused::Limit(CodecError::TooManyElements { limit: self.limits.elements_max }));
        }
        value.serialize(self)
    }

    #[inline]
    fn list(&mut self, length: Option<usize>) -> Result<&mut Self, Refused> {
        let length = length.ok_or_else(|| Refused::custom("a list of unknown length"))?;
        self.integer(length as u64)?;
        self.enter()
    }
}

impl<'m> Serializer for &'m mut Measure {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = &'m mut Measure;
    type SerializeTuple = &'m mut Measure;
    type SerializeTupleStruct = &'m mut Measure;
    type SerializeTupleVariant = Variant<'m>;
    type SerializeMap = &'m mut Measure;
    type SerializeStruct = &'m mut Measure;
    type SerializeStructVariant = Variant<'m>;

    #[inline]
    fn serialize_bool(self, _: bool) -> Result<(), Refused> {
        self.add(1)
    }
    #[inline]
    fn serialize_i8(self, _: i8) -> Result<(), Refused> {
        self.add(1)
    }
    #[inline]
    fn serialize_i16(self, v: i16) -> Result<(), Refused> {
        self.signed(v.into())
    }
    #[inline]
    fn serialize_i32(self, v: i32) -> Result<(), Refused> {
        self.signed(v.into())
    }
    #[inline]
    fn serialize_i64(self, v: i64) -> Result<(), Refused> {
        self.signed(v)
    }
    #[inline]
    fn serialize_i128(self, v: i128) -> Result<(), Refused> {
        self.wide((v << 1 ^ v >> 127) as u128)
    }
    #[inline]
    fn serialize_u8(self, _: u8) -> Result<(), Refused> {
        self.add(1)
    }
    #[inline]
    fn serialize_u16(self, v: u16) -> Result<(), Refused> {
        self.integer(v.into())
    }
    #[inline]
    fn serialize_u32(self, v: u32) -> Result<(), Refused> {
        self.integer(v.into())
    }
    #[inline]
    fn serialize_u64(self, v: u64) -> Result<(), Refused> {
        self.integer(v)
    }
    #[inline]
    fn serialize_u128(self, v: u128) -> Result<(), Refused> {
        self.wide(v)
    }
    #[inline]
    fn serialize_f32(self, _: f32) -> Result<(), Refused> {
        self.add(4)
    }
    #[inline]
    fn serialize_f64(self, _: f64) -> Result<(), Refused> {
        self.add(8)
    }
    #[inline]
    fn serialize_char(self, v: char) -> Result<(), Refused> {
        self.add(v.len_utf8())
    }
    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), Refused> {
        self.serialize_bytes(v.as_bytes())
    }
    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), Refused> {
        self.integer(v.len() as u64)?;
        self.add(v.len())
    }
    #[inline]
    fn serialize_none(self) -> Result<(), Refused> {
        self.add(1)
    }
    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.add(1)?;
        self.hold(value)
    }
    #[inline]
    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }
    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        Ok(())
    }
    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), Refused> {
        self.integer(index.into())?;
        // As deep as its siblings that hold something, and as the reader counts.
        self.enter()?.leave()
    }
    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.hold(value)
    }
    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.integer(index.into())?;
        self.hold(value)
    }
    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<&'m mut Measure, Refused> {
        self.list(length)
    }
    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<&'m mut Measure, Refused> {
        self.enter()
    }
    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<&'m mut Measure, Refused> {
        self.enter()
    }
    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Variant<'m>, Refused> {
        self.integer(index.into())?;
        // The reader counts the variant and the tuple in it.
        Ok(Variant(self.enter()?.enter()?))
    }
    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<&'m mut Measure, Refused> {
        self.list(length)
    }
    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<&'m mut Measure, Refused> {
        self.enter()
    }
    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Variant<'m>, Refused> {
        self.integer(index.into())?;
        Ok(Variant(self.enter()?.enter()?))
    }
    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

impl SerializeSeq for &mut Measure {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.leave()
    }
}

impl SerializeMap for &mut Measure {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.element(key)
    }
    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.leave()
    }
}

impl SerializeTuple for &mut Measure {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.leave()
    }
}

impl SerializeTupleStruct for &mut Measure {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.leave()
    }
}

impl SerializeStruct for &mut Measure {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.leave()
    }
}

/// A variant with fields, which lies two deep.
struct Variant<'m>(&'m mut Measure);

impl SerializeTupleVariant for Variant<'_> {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self.0)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.0.leave()?;
        self.0.leave()
    }
}

impl SerializeStructVariant for Variant<'_> {
    type Ok = ();
    type Error = Refused;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self.0)
    }
    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.0.leave()?;
        self.0.leave()
    }
}
