//! The fingerprint of a value under other names.
//!
//! Silos are alike: a state in which `a` owns what `b` hosts is no other than one in which `b` owns what `a` hosts. To
//! see that two states are one, each is hashed under every renaming of the silos, and the least hash stands for all. A
//! value is walked by its `Serialize`, not by its `Hash`: there, maps say that they are maps, so that their entries can
//! be taken in any order (the order of the names is all there is to it), and names say that they are texts.

use super::fingerprint::{Fingerprint, fingerprint};
use serde::ser::{self, Serialize, Serializer};
use std::fmt;
use std::hash::Hasher;

/// What each name is called instead.
#[derive(Clone, Debug, Default)]
pub struct Renaming(Vec<(String, String)>);

impl Renaming {
    /// All renamings of these names among themselves, the one that changes nothing first.
    pub fn all(names: &[String]) -> Vec<Renaming> {
        let mut found = Vec::new();
        permute(names.len(), &mut Vec::new(), &mut |order| {
            let to = order.iter().map(|at| names[*at].clone());
            found.push(Renaming(names.iter().cloned().zip(to).collect()));
        });
        found
    }

    /// What a name is called instead; a text that is none of the names stays what it is.
    pub fn of<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to)
    }
}

fn permute(count: usize, order: &mut Vec<usize>, found: &mut impl FnMut(&[usize])) {
    if order.len() == count {
        return found(order);
    }
    for at in 0..count {
        if !order.contains(&at) {
            order.push(at);
            permute(count, order, found);
            order.pop();
        }
    }
}

/// The fingerprint of a value in which every silo has another name.
///
/// Lists keep their order. A list that is sorted by names must not be part of the value.
///
/// Panics: never for plain data; a `Serialize` that fails by itself is not plain data.
pub fn renamed(value: &impl Serialize, names: &Renaming) -> u128 {
    let mut walk = Walk { names, hash: Fingerprint::default() };
    value.serialize(&mut walk).expect("plain data can be walked");
    walk.hash.value()
}

struct Walk<'a> {
    names: &'a Renaming,
    hash: Fingerprint,
}

#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Done = Result<(), Refused>;

macro_rules! numbers {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, number: $type) -> Done {
            self.hash.write_u64(number as u64);
            Ok(())
        })*
    };
}

impl<'w, 'a> Serializer for &'w mut Walk<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Entries<'w, 'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char
    }

    fn serialize_f32(self, number: f32) -> Done {
        self.serialize_u32(number.to_bits())
    }

    fn serialize_f64(self, number: f64) -> Done {
        self.serialize_u64(number.to_bits())
    }

    fn serialize_str(self, text: &str) -> Done {
        self.hash.write(self.names.of(text).as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.hash.write(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.hash.write_u8(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, variant: u32, _: &'static str) -> Done {
        self.serialize_u32(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        self.hash.write_u32(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Refused> {
        self.hash.write_usize(length.ok_or_else(|| Refused("a list of unknown length".into()))?);
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Refused> {
        self.hash.write_u32(variant);
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'w, 'a>, Refused> {
        Ok(Entries { walk: self, key: 0, sum: 0, count: 0 })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Refused> {
        self.hash.write_u32(variant);
        Ok(self)
    }
}

/// The entries of a map: each hashed by itself, and added up, so that their order does not matter.
struct Entries<'w, 'a> {
    walk: &'w mut Walk<'a>,
    key: u128,
    sum: u128,
    count: usize,
}

impl ser::SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.key = renamed(&key, self.walk.names);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let entry = fingerprint(&(self.key, renamed(&value, self.walk.names)));
        self.sum = self.sum.wrapping_add(entry);
        self.count += 1;
        Ok(())
    }

    fn end(self) -> Done {
        self.walk.hash.write_usize(self.count);
        self.walk.hash.write_u128(self.sum);
        Ok(())
    }
}

macro_rules! in_order {
    ($($part:ident :: $add:ident($($name:ident)?)),*) => {
        $(impl ser::$part for &mut Walk<'_> {
            type Ok = ();
            type Error = Refused;

            fn $add<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Done {
                $(let _ = $name;)?
                value.serialize(&mut **self)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })*
    };
}

in_order! {
    SerializeSeq::serialize_element(), SerializeTuple::serialize_element(),
    SerializeTupleStruct::serialize_field(), SerializeTupleVariant::serialize_field(),
    SerializeStruct::serialize_field(name), SerializeStructVariant::serialize_field(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn names() -> Vec<Renaming> {
        Renaming::all(&["a", "b", "c"].map(String::from))
    }

    fn least(value: &impl Serialize) -> u128 {
        names().iter().map(|n| renamed(value, n)).min().expect("there are renamings")
    }

    #[test]
    fn three_names_have_six_renamings_and_the_first_changes_nothing() {
        assert_eq!(names().len(), 6);
        assert_eq!(names()[0].of("b"), "b");
        assert_eq!(names()[0].of("thing"), "thing");
    }

    #[test]
    fn maps_that_differ_in_names_alone_are_one() {
        let one = (BTreeMap::from([("a", 1), ("b", 2)]), "a");
        let two = (BTreeMap::from([("c", 1), ("a", 2)]), "c");
        let other = (BTreeMap::from([("a", 1), ("b", 2)]), "b");
        assert_eq!(least(&one), least(&two));
        assert_ne!(least(&one), least(&other), "the second names another entry");
    }

    #[test]
    fn a_state_that_names_nobody_has_one_naming() {
        let hashes: BTreeSet<u128> = names().iter().map(|n| renamed(&(1, "thing"), n)).collect();
        assert_eq!(hashes.len(), 1);
    }
}
