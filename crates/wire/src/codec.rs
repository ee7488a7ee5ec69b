//! The codec of all services: protobuf, with each message that arrives weighed before it is taken apart.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::weight::{Scale, Weighed};

/// How many encoded bytes are given to the transport at once: tonic's own number.
const FULL: usize = 32 * 1024;

/// As [`ProstCodec`], for messages that are weighed.
pub(crate) struct WeighingCodec<T, U>(PhantomData<(T, U)>);

pub(crate) struct WeighingDecoder<U>(ProstDecoder<U>);

// === impl WeighingCodec ===

impl<T, U> Default for WeighingCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for WeighingCodec<T, U>
where
    T: Message + Weighed + Send + 'static,
    U: Message + Default + Weighed + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WeighingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(T::BUFFER, FULL))
    }

    fn decoder(&mut self) -> Self::Decoder {
        WeighingDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::new(U::BUFFER, FULL)))
    }
}

// === impl WeighingDecoder ===

impl<U: Message + Default + Weighed> Decoder for WeighingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if !Scale::WIRE.passes::<U>(bytes.chunk()) {
            return Err(Status::resource_exhausted("a message of more parts than any has"));
        }
        self.0.decode(bytes)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
