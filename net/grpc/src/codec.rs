//! Batches to bytes and back: prost's encoding, behind a check that makes its memory proportional to the message.

use crate::config::{BATCH_BYTES, BATCH_FRAMES_MAX};
use crate::proto::Batch;
use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// The codec of both directions of a link.
#[derive(Default)]
pub(crate) struct BatchCodec;

impl Codec for BatchCodec {
    type Encode = Batch;
    type Decode = Batch;
    type Encoder = BatchEncoder;
    type Decoder = BatchDecoder;

    fn encoder(&mut self) -> BatchEncoder {
        BatchEncoder(ProstCodec::<Batch, Batch>::raw_encoder(buffers()))
    }

    fn decoder(&mut self) -> BatchDecoder {
        BatchDecoder(ProstCodec::<Batch, Batch>::raw_decoder(buffers()))
    }
}

/// A batch leaves in one piece: tonic would otherwise cut the flush at 32 KiB.
fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, BATCH_BYTES)
}

pub(crate) struct BatchEncoder(ProstEncoder<Batch>);

impl Encoder for BatchEncoder {
    type Item = Batch;
    type Error = Status;

    fn encode(&mut self, batch: Batch, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        self.0.encode(batch, buf)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

pub(crate) struct BatchDecoder(ProstDecoder<Batch>);

impl Decoder for BatchDecoder {
    type Item = Batch;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Batch>, Status> {
        // The whole message lies in one piece in tonic's buffer.
        check_frame_count(buf.chunk())?;
        self.0.decode(buf)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// Refuses a message with more frames than any writer puts in one: an empty frame takes two bytes on the wire and
/// twenty times that in memory. Anything malformed passes, for prost to refuse with its own words.
fn check_frame_count(mut message: &[u8]) -> Result<(), Status> {
    let mut frames = 0;
    while message.has_remaining() {
        let Ok((field, wire_type)) = decode_key(&mut message) else { return Ok(()) };
        let skip = match wire_type {
            WireType::LengthDelimited => decode_varint(&mut message).unwrap_or(u64::MAX),
            WireType::Varint => {
                if decode_varint(&mut message).is_err() {
                    return Ok(());
                }
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            // Groups: nobody sends them, and prost counts their depth.
            WireType::StartGroup | WireType::EndGroup => 0,
        };
        if field == FRAMES_FIELD {
            frames += 1;
            if frames > BATCH_FRAMES_MAX {
                return Err(Status::invalid_argument(format!(
                    "a batch has at most {BATCH_FRAMES_MAX} frames, this one has more"
                )));
            }
        }
        if skip > message.remaining() as u64 {
            return Ok(());
        }
        message.advance(skip as usize);
    }
    Ok(())
}

/// `Batch.frames` in proto/link.proto.
const FRAMES_FIELD: u32 = 1;
/// What tonic allocates at a time for a link's messages.
const BUFFER_BYTES: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use prost::Message;

    fn encoded(frames: usize) -> Vec<u8> {
        Batch { frames: vec![Bytes::new(); frames], goodbye: None }.encode_to_vec()
    }

    #[test]
    fn a_batch_of_too_many_empty_frames_is_refused_before_it_is_decoded() {
        assert!(check_frame_count(&encoded(BATCH_FRAMES_MAX)).is_ok());
        let refused = check_frame_count(&encoded(BATCH_FRAMES_MAX + 1)).expect_err("one too many");
        assert!(refused.message().contains("4096"), "{refused}");
    }

    #[test]
    fn malformed_messages_neither_panic_nor_run_on() {
        let valid = Batch { frames: vec![Bytes::from_static(b"frame"); 3], goodbye: None }.encode_to_vec();
        for at in 0..valid.len() {
            for flip in 1..=255u8 {
                let mut mutated = valid.clone();
                mutated[at] ^= flip;
                let _ = check_frame_count(&mutated);
                let _ = Batch::decode(&mutated[..]);
            }
            let _ = check_frame_count(&valid[..at]);
        }
    }
}
