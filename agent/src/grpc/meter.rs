//! What messages take that have not arrived as a whole: bounded for all calls together.
//!
//! A message is taken apart when all of it is there, and a thousand calls can each be in the middle of one. A call whose
//! message would pass the bound fails; waiting for the others would be waiting for what may wait for this one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// As much as the HTTP API has for bodies: sixteen of the largest value that an agent can be told to take.
const MAX_UNFINISHED: usize = 64 * 1024 * 1024;

/// Before each message: whether it is compressed, and its length in four bytes.
const HEADER: usize = 5;

/// Bytes of unfinished messages of all calls.
#[derive(Debug, Default)]
pub(super) struct Meter(AtomicUsize);

/// The body of a call whose unfinished message counts.
struct Metered<B> {
    body: B,
    meter: Arc<Meter>,
    progress: Progress,
    counted: usize,
}

/// How far the present message has arrived.
#[derive(Debug, Default)]
struct Progress {
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    known: usize,
    /// Bytes that are there, and that are missing, after the header.
    there: usize,
    missing: usize,
}

/// A request whose body is metered.
pub(super) fn metered(request: hyper::Request<Body>, meter: &Arc<Meter>) -> hyper::Request<Body> {
    let meter = meter.clone();
    request.map(|body| Body::new(Metered { body, meter, progress: Progress::default(), counted: 0 }))
}

// === impl Metered ===

impl<B> Metered<B> {
    /// Counts what is unfinished now; fails if that is too much.
    fn count(&mut self) -> Result<(), Status> {
        let unfinished = self.progress.unfinished();
        let before = self.meter.0.fetch_add(unfinished, Ordering::AcqRel);
        self.meter.0.fetch_sub(self.counted, Ordering::AcqRel);
        let others = before.saturating_sub(self.counted);
        self.counted = unfinished;
        if unfinished > 0 && others + unfinished > MAX_UNFINISHED {
            return Err(Status::resource_exhausted("too many large messages are under way at once; try again later"));
        }
        Ok(())
    }
}

impl<B: HttpBody<Data = Bytes, Error = Status> + Unpin> HttpBody for Metered<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().cloned()) {
            self.progress.take(data);
            self.count()?;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Metered<B> {
    fn drop(&mut self) {
        self.meter.0.fetch_sub(self.counted, Ordering::AcqRel);
    }
}

// === impl Progress ===

impl Progress {
    /// More has arrived.
    fn take(&mut self, mut data: Bytes) {
        while data.has_remaining() {
            if self.known < HEADER {
                let part = data.split_to(data.len().min(HEADER - self.known));
                self.header[self.known..self.known + part.len()].copy_from_slice(&part);
                self.known += part.len();
                let [_, length @ ..] = self.header;
                self.missing = if self.known == HEADER { u32::from_be_bytes(length) as usize } else { 0 };
            } else {
                let part = data.len().min(self.missing);
                data.advance(part);
                self.there += part;
                self.missing -= part;
            }
            if self.known == HEADER && self.missing == 0 {
                *self = Self::default();
            }
        }
    }

    const fn unfinished(&self) -> usize {
        self.known + self.there
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn chunk(length: usize) -> Bytes {
        vec![0; length].into()
    }

    fn header(length: usize) -> Bytes {
        let mut header = vec![0];
        header.extend_from_slice(&(length as u32).to_be_bytes());
        header.into()
    }

    fn body(meter: &Arc<Meter>, chunks: Vec<Bytes>) -> impl HttpBody<Data = Bytes, Error = Status> + Unpin {
        let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
        let body = StreamBody::new(futures_util::stream::iter(frames));
        Metered { body, meter: meter.clone(), progress: Progress::default(), counted: 0 }
    }

    #[test]
    fn messages_are_followed_across_chunks() {
        let mut progress = Progress::default();
        let whole = [header(3), chunk(3), header(0), header(7), chunk(4)].concat();
        for split in 0..whole.len() {
            progress = Progress::default();
            progress.take(Bytes::copy_from_slice(&whole[..split]));
            progress.take(Bytes::copy_from_slice(&whole[split..]));
            assert_eq!(progress.unfinished(), HEADER + 4, "{split}");
        }
        progress.take(chunk(3));
        assert_eq!(progress.unfinished(), 0);
    }

    #[tokio::test]
    async fn unfinished_messages_of_all_calls_are_bounded_and_finished_ones_do_not_count() {
        let meter = Arc::new(Meter::default());
        let mut many = body(&meter, (0..200).flat_map(|_| [header(MIB), chunk(MIB)]).collect());
        while let Some(frame) = many.frame().await {
            assert!(frame.is_ok());
        }
        let mut calls: Vec<_> = (0..8).map(|_| body(&meter, vec![header(10 * MIB), chunk(9 * MIB)])).collect();
        let mut results = Vec::new();
        for call in &mut calls {
            let header = call.frame().await.expect("a frame");
            results.push(header.and(call.frame().await.expect("a frame")).is_ok());
        }
        assert_eq!(results.iter().filter(|good| **good).count(), 7, "{results:?}");
        drop(calls);
        assert_eq!(meter.0.load(Ordering::Relaxed), 0);
    }
}
