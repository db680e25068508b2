//! The handshake as it travels in HTTP/2 headers.
//!
//! A header holds one protobuf message of `proto/link.proto`. Whatever does not decode to a well-formed one is refused
//! with what was wrong about it; who may talk to whom is decided by [`quark_core::handshake`].

use crate::proto;
use bytes::Bytes;
use prost::Message;
use quark_core::handshake::Hello;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use tonic::metadata::{MetadataMap, MetadataValue};

/// A header of the handshake that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Garbled {
    #[error("no header `{0}`: not a Quark peer, or one of an older release")]
    Missing(&'static str),
    #[error("header `{0}` is not the expected message: {1}")]
    Malformed(&'static str, String),
}

/// What a dialler says.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) hello: Hello,
    /// `None` only asks who is there.
    pub(crate) lane: Option<Lane>,
    pub(crate) expected: Option<SiloId>,
    /// Empty for a client.
    pub(crate) address: String,
}

impl Greeting {
    pub(crate) fn write(&self, headers: &mut MetadataMap) {
        let message = proto::Hello {
            identity: Some(identity_to_wire(&self.hello)),
            lane: match self.lane {
                None => proto::Lane::None,
                Some(Lane::Control) => proto::Lane::Control,
                Some(Lane::User) => proto::Lane::User,
            }
            .into(),
            expected: self.expected.map(silo_to_wire),
            address: self.address.clone(),
        };
        put(headers, HELLO, &message);
    }

    pub(crate) fn read(headers: &MetadataMap) -> Result<Self, Garbled> {
        let message: proto::Hello = take(headers, HELLO)?;
        let malformed = |what: &str| Garbled::Malformed(HELLO, what.into());
        Ok(Self {
            hello: identity_from_wire(message.identity, HELLO)?,
            lane: match proto::Lane::try_from(message.lane) {
                Ok(proto::Lane::None) => None,
                Ok(proto::Lane::Control) => Some(Lane::Control),
                Ok(proto::Lane::User) => Some(Lane::User),
                Err(_) => return Err(malformed("an unknown lane")),
            },
            expected: message.expected.map(|silo| silo_from_wire(silo, HELLO)).transpose()?,
            address: match message.address.len() {
                0..=ADDRESS_BYTES_MAX => message.address,
                _ => return Err(malformed("an address of more than 256 bytes")),
            },
        })
    }
}

pub(crate) fn write_welcome(hello: &Hello, headers: &mut MetadataMap) {
    put(headers, WELCOME, &proto::Welcome { identity: Some(identity_to_wire(hello)) });
}

pub(crate) fn read_welcome(headers: &MetadataMap) -> Result<Hello, Garbled> {
    let message: proto::Welcome = take(headers, WELCOME)?;
    identity_from_wire(message.identity, WELCOME)
}

pub(crate) fn write_refusal(refusal: &proto::Refusal, headers: &mut MetadataMap) {
    let mut refusal = refusal.clone();
    refusal.reason = shortened(&refusal.reason);
    put(headers, REFUSAL, &refusal);
}

/// The refusal in these headers, if they are those of a refusal.
pub(crate) fn read_refusal(headers: &MetadataMap) -> Option<proto::Refusal> {
    take(headers, REFUSAL).ok()
}

/// A reason that fits in a header, cut at a character.
pub(crate) fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

fn put(headers: &mut MetadataMap, name: &'static str, message: &impl Message) {
    headers.insert_bin(name, MetadataValue::from_bytes(&message.encode_to_vec()));
}

fn take<M: Message + Default>(headers: &MetadataMap, name: &'static str) -> Result<M, Garbled> {
    let value = headers.get_bin(name).ok_or(Garbled::Missing(name))?;
    let bytes: Bytes = value.to_bytes().map_err(|error| Garbled::Malformed(name, error.to_string()))?;
    M::decode(bytes).map_err(|error| Garbled::Malformed(name, error.to_string()))
}

fn identity_to_wire(hello: &Hello) -> proto::Identity {
    proto::Identity {
        cluster: hello.cluster.clone(),
        silo: Some(silo_to_wire(hello.silo)),
        protocol_min: hello.protocol_min.into(),
        protocol_max: hello.protocol_max.into(),
        contract_digest: hello.contract_digest,
    }
}

fn identity_from_wire(identity: Option<proto::Identity>, header: &'static str) -> Result<Hello, Garbled> {
    let malformed = |what: &str| Garbled::Malformed(header, what.into());
    let identity = identity.ok_or_else(|| malformed("no identity"))?;
    let protocol = |number| u16::try_from(number).map_err(|_| malformed("a protocol number beyond 65535"));
    Ok(Hello {
        silo: silo_from_wire(identity.silo.ok_or_else(|| malformed("no silo"))?, header)?,
        cluster: identity.cluster,
        protocol_min: protocol(identity.protocol_min)?,
        protocol_max: protocol(identity.protocol_max)?,
        contract_digest: identity.contract_digest,
    })
}

fn silo_to_wire(silo: SiloId) -> proto::Silo {
    proto::Silo { name: silo.name.as_str().to_owned(), generation: silo.generation.0 }
}

fn silo_from_wire(silo: proto::Silo, header: &'static str) -> Result<SiloId, Garbled> {
    let name = SiloName::new(&silo.name)
        .map_err(|error| Garbled::Malformed(header, shortened(&error.to_string())))?;
    Ok(SiloId::new(name, Generation(silo.generation)))
}

const HELLO: &str = "quark-hello-bin";
const WELCOME: &str = "quark-welcome-bin";
const REFUSAL: &str = "quark-refusal-bin";
const REASON_CHARS_MAX: usize = 512;
const ADDRESS_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests;
