//! How the rows are laid out in bytes: the schema number, then the row.
//!
//! The schema comes first and alone, so that a program can always say *which* newer layout it does not understand.

use super::table::{LeaseRow, SCHEMA, SiloRow, ViewRow, Written};
use crate::Version;
use bincode::Options;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A row that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RowError {
    /// A newer program wrote it.
    #[error(
        "the membership table has schema {found}, this program understands up to {understood}: start a program of \
         the newer version, or point this one to another database"
    )]
    NewerSchema {
        /// The schema of the row.
        found: u32,
        /// The newest that this program understands.
        understood: u32,
    },
    /// It is broken.
    #[error("a membership row cannot be decoded: {reason}")]
    Corrupt {
        /// What is wrong with it.
        reason: String,
    },
}

/// A row that has a place in the store.
pub trait StoredRow: Written + Serialize + DeserializeOwned + sealed::Sealed {
    /// What a row lacks at its end that was written before schema 3.
    const NEW_IN_3: &'static [u8] = &[];
}
impl StoredRow for ViewRow {}
impl StoredRow for SiloRow {
    /// [`SiloRow::before`]: `None`. (One elder or none is written as a vector of so many is.)
    const NEW_IN_3: &'static [u8] = &[0];
}
impl StoredRow for LeaseRow {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ViewRow {}
    impl Sealed for super::SiloRow {}
    impl Sealed for super::LeaseRow {}
}

/// Encodes a row.
pub fn encode<R: StoredRow>(row: &R) -> Bytes {
    let mut bytes = SCHEMA.to_le_bytes().to_vec();
    layout().serialize_into(&mut bytes, row).expect("rows are plain data, and a vector takes any length");
    bytes.into()
}

/// Decodes a row that the store has at this version. Never panics, whatever the bytes.
pub fn decode<R: StoredRow>(bytes: &[u8], version: Version) -> Result<R, RowError> {
    let corrupt = |reason: String| RowError::Corrupt { reason };
    let (schema, body) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| corrupt(format!("{} bytes are too short", bytes.len())))?;
    match u32::from_le_bytes(*schema) {
        0 => Err(corrupt("schema 0 does not exist".into())),
        found if found > SCHEMA => Err(RowError::NewerSchema { found, understood: SCHEMA }),
        found => {
            let added = if found < 3 { R::NEW_IN_3 } else { &[] };
            match layout().deserialize::<R>(&[body, added].concat()) {
                Ok(row) => Ok(row.written_at(version)),
                Err(error) => Err(corrupt(error.to_string())),
            }
        }
    }
}

fn layout() -> impl Options {
    bincode::DefaultOptions::new().with_varint_encoding().with_limit(ROW_BYTES_MAX)
}

/// The longest row. Its parts are bounded names and numbers, and an address.
const ROW_BYTES_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::super::table::{THIS, Tenure};
    use super::*;
    use crate::view::Status;
    use crate::{Generation, SiloId, SiloName, ViewVersion};
    use std::time::Duration;

    #[test]
    fn a_row_comes_back_as_it_was() {
        let row = LeaseRow { generation: Generation(3), seq: 70_000, view: ViewVersion(9) };
        assert_eq!(decode::<LeaseRow>(&encode(&row), Version(11)), Ok(row));
    }

    #[test]
    fn a_row_that_names_the_version_of_its_own_commit_gets_it_when_it_is_read() {
        let row = LeaseRow { generation: Generation(3), seq: 1, view: THIS };
        let read = decode::<LeaseRow>(&encode(&row), Version(11)).expect("it has just been encoded");
        assert_eq!(read.view, ViewVersion(11));
    }

    #[test]
    fn a_silo_s_row_of_schema_2_is_read() {
        let row = SiloRow {
            id: SiloId::new(SiloName::new("a").expect("valid"), Generation(3)),
            address: "10.0.0.1:11111".into(),
            status: Status::Active,
            grace: Duration::from_secs(1),
            contract: 7,
            tenure: Some(Tenure { since: ViewVersion(9), left: None }),
            elders: vec![Tenure { since: ViewVersion(2), left: Some(ViewVersion(5)) }],
            before: None,
        };
        let mut bytes = encode(&row).to_vec();
        assert_eq!(bytes.pop(), Some(0), "the new field is the last one");
        bytes[0] = 2;
        assert_eq!(decode::<SiloRow>(&bytes, Version(11)), Ok(row));
        bytes[0] = 3;
        assert!(decode::<SiloRow>(&bytes, Version(11)).is_err(), "a row of schema 3 has it");
    }

    #[test]
    fn a_newer_schema_is_named() {
        let mut bytes =
            encode(&LeaseRow { generation: Generation(1), seq: 1, view: ViewVersion(1) }).to_vec();
        bytes[0] = 7;
        let error = decode::<LeaseRow>(&bytes, Version(1)).expect_err("schema 7");
        assert_eq!(error, RowError::NewerSchema { found: 7, understood: SCHEMA });
    }

    #[test]
    fn broken_bytes_are_refused() {
        let bytes = encode(&LeaseRow { generation: Generation(1), seq: 1, view: ViewVersion(1) });
        for length in 0..bytes.len() {
            assert!(decode::<LeaseRow>(&bytes[..length], Version(1)).is_err());
        }
        assert!(decode::<LeaseRow>(&[bytes.as_ref(), &[0]].concat(), Version(1)).is_err(), "trailing bytes");
    }
}
