//! The codec of the service: protobuf, with the parts of a message counted before it is taken apart.
//!
//! Two bytes can be a request of a batch that takes hundreds in memory: a batch at its limit in bytes would become
//! gigabytes before anybody could look at it.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Fields of one message, repeated ones each: the requests of a batch, or the rows of a page, and a few more.
const MAX_PARTS: usize = 1_024 + 16;

/// As [`ProstCodec`], for messages whose parts are counted.
pub(crate) struct CountingCodec<T, U>(PhantomData<(T, U)>);

pub(crate) struct CountingDecoder<U>(ProstDecoder<U>);

// === impl CountingCodec ===

impl<T, U> Default for CountingCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CountingCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CountingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CountingDecoder(ProstCodec::<T, U>::default().decoder())
    }
}

// === impl CountingDecoder ===

impl<U: Message + Default> Decoder for CountingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if parts(bytes.chunk()).is_none_or(|parts| parts > MAX_PARTS) {
            return Err(Status::resource_exhausted(format!("a message has at most {MAX_PARTS} parts")));
        }
        self.0.decode(bytes)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// How many fields the outermost message has; `None` if it is malformed.
fn parts(mut bytes: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let (tag, kind) = decode_key(&mut bytes).ok()?;
        match kind {
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                bytes = bytes.get(length..)?;
            }
            kind => skip_field(kind, tag, &mut bytes, DecodeContext::default()).ok()?,
        }
        count += 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchRequest, WriteRequest};

    #[test]
    fn a_message_of_too_many_parts_is_not_taken_apart() {
        let batch = |count| BatchRequest { requests: vec![WriteRequest::default(); count], ..BatchRequest::default() };
        assert_eq!(parts(&batch(3).encode_to_vec()), Some(3));
        assert_eq!(parts(&batch(100_000).encode_to_vec()), Some(100_000));
        assert_eq!(parts(&[0x0a, 0xff]), None);
        assert_eq!(parts(&[0x0a, 0x05, 0]), None);
        assert_eq!(parts(b""), Some(0));
    }
}
