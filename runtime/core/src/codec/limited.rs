//! A deserializer around a deserializer that counts depth and elements.
//!
//! It only forwards what bincode calls: a format that describes itself would need the other `visit_` methods too.

use super::{CodecError, CodecLimits};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use std::fmt;
use std::marker::PhantomData;

/// What a value may still use.
pub(super) struct Budget {
    depth_left: usize,
    elements_left: usize,
    refused: Option<Refused>,
}

enum Refused {
    Depth,
    Elements,
}

impl Budget {
    pub(super) fn new(limits: CodecLimits) -> Self {
        Self { depth_left: limits.depth_max, elements_left: limits.elements_max, refused: None }
    }

    /// Why the budget made decoding fail, if it did.
    #[cold]
    pub(super) fn refusal(&self, limits: CodecLimits) -> Option<CodecError> {
        Some(match self.refused.as_ref()? {
            Refused::Depth => CodecError::TooDeep { limit: limits.depth_max },
            Refused::Elements => CodecError::TooManyElements { limit: limits.elements_max },
        })
    }

    #[inline]
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.depth_left == 0 {
            self.refused = Some(Refused::Depth);
            return Err(E::custom("nested too deep"));
        }
        self.depth_left -= 1;
        Ok(())
    }

    /// An error ends the whole value, so only success leaves.
    #[inline]
    fn leave(&mut self) {
        self.depth_left += 1;
    }

    /// Takes the elements that a list announces, and refuses one with more than are left before anybody allocates for it.
    /// Whether its elements are still to be counted one by one.
    #[inline]
    fn announce<E: Error>(&mut self, elements: Option<usize>) -> Result<bool, E> {
        let Some(count) = elements else { return Ok(true) };
        self.take(count)?;
        Ok(false)
    }

    #[inline]
    fn take<E: Error>(&mut self, elements: usize) -> Result<(), E> {
        let Some(left) = self.elements_left.checked_sub(elements) else {
            self.refused = Some(Refused::Elements);
            return Err(E::custom("too many elements"));
        };
        self.elements_left = left;
        Ok(())
    }
}

/// The entry: reads a whole `T` through the limits.
pub(super) struct Seed<'b, T> {
    budget: &'b mut Budget,
    of: PhantomData<T>,
}

impl<'b, T> Seed<'b, T> {
    pub(super) fn new(budget: &'b mut Budget) -> Self {
        Self { budget, of: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        T::deserialize(Limited { inner, budget: self.budget })
    }
}

/// Wraps a deserializer, a seed, a visitor or an access: all of them carry the budget on.
struct Limited<'b, I> {
    inner: I,
    budget: &'b mut Budget,
}

/// Wraps the visitor of something that holds values.
struct Holder<'b, V> {
    inner: V,
    budget: &'b mut Budget,
    /// Lists and maps that do not say how many elements they have count them; structs and tuples have as many as their type
    /// says.
    counts: bool,
}

macro_rules! leaves {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Limited<'_, D> {
    type Error = D::Error;

    leaves! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, inner: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Holder { inner, budget: self.budget, counts: false })
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        inner: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, inner)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        inner: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, Holder { inner, budget: self.budget, counts: false })
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, inner: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_seq(Holder { inner, budget: self.budget, counts: true })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, inner: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(length, Holder { inner, budget: self.budget, counts: false })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        inner: V,
    ) -> Result<V::Value, D::Error> {
        let inner = Holder { inner, budget: self.budget, counts: false };
        self.inner.deserialize_tuple_struct(name, length, inner)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, inner: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Holder { inner, budget: self.budget, counts: true })
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        inner: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Holder { inner, budget: self.budget, counts: false })
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        inner: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, Holder { inner, budget: self.budget, counts: false })
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Limited<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Limited { inner, budget: self.budget })
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Holder<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.budget.enter()?;
        let value = self.inner.visit_some(Limited { inner, budget: &mut *self.budget })?;
        self.budget.leave();
        Ok(value)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.budget.enter()?;
        let value = self.inner.visit_newtype_struct(Limited { inner, budget: &mut *self.budget })?;
        self.budget.leave();
        Ok(value)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.budget.enter()?;
        let counts = self.counts && self.budget.announce(inner.size_hint())?;
        let value = self.inner.visit_seq(Holder { inner, budget: &mut *self.budget, counts })?;
        self.budget.leave();
        Ok(value)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.budget.enter()?;
        let counts = self.counts && self.budget.announce(inner.size_hint())?;
        let value = self.inner.visit_map(Holder { inner, budget: &mut *self.budget, counts })?;
        self.budget.leave();
        Ok(value)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.budget.enter()?;
        let value = self.inner.visit_enum(Limited { inner, budget: &mut *self.budget })?;
        self.budget.leave();
        Ok(value)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Holder<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, inner: T) -> Result<Option<T::Value>, A::Error> {
        if self.counts {
            self.budget.take(1)?;
        }
        self.inner.next_element_seed(Limited { inner, budget: &mut *self.budget })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Holder<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, inner: K) -> Result<Option<K::Value>, A::Error> {
        if self.counts {
            self.budget.take(1)?;
        }
        self.inner.next_key_seed(Limited { inner, budget: &mut *self.budget })
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, inner: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Limited { inner, budget: &mut *self.budget })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Limited<'b, A> {
    type Error = A::Error;
    type Variant = Limited<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        // The seed reads the variant's number, which holds nothing.
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Limited { inner, budget: self.budget }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, inner: T) -> Result<T::Value, A::Error> {
        self.inner.newtype_variant_seed(Limited { inner, budget: self.budget })
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, inner: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(length, Holder { inner, budget: self.budget, counts: false })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        inner: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Holder { inner, budget: self.budget, counts: false })
    }
}
