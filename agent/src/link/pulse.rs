//! Signs of life of a peer: the bytes that come, since a large frame on a slow link takes longer than any silence.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::{Request, Response};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use crate::link::SILENCE;

/// How long one frame may be under way, so that nobody holds a link with a byte now and then: the largest frame needs
/// 126 kB/s, one value of the largest size 7 kB/s.
const LONGEST_FRAME: Duration = Duration::from_secs(600);

/// When the last bytes of a stream came.
#[derive(Clone, Debug)]
pub(super) struct Pulse(Arc<Mutex<Instant>>);

/// Why no frame is waited for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lifeless {
    #[error("the peer sent nothing for too long")]
    Silent,
    #[error("the peer took too long for one frame")]
    Endless,
}

// === impl Pulse ===

impl Pulse {
    /// Of a stream that begins now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Lets whoever serves a request feel its pulse, which is among its extensions.
    pub(super) fn of_request(request: Request<Body>) -> Request<Body> {
        let pulse = Self::new();
        let mut request = request.map(|body| pulse.felt(body));
        request.extensions_mut().insert(pulse);
        request
    }

    /// A response whose bytes are signs of life.
    pub(super) fn of_response(&self, response: Response<Body>) -> Response<Body> {
        response.map(|body| self.felt(body))
    }

    /// The next frame. It is waited for as long as bytes come, within reason.
    pub(super) async fn next<S: Stream + Unpin>(&self, frames: &mut S) -> Result<Option<S::Item>, Lifeless> {
        // What came while nobody waited counts as come now.
        let began = Instant::now();
        let mut next = frames.next();
        loop {
            let silent = began.max(self.last()) + SILENCE;
            let endless = began + LONGEST_FRAME;
            if let Ok(frame) = timeout_at(silent.min(endless), &mut next).await {
                return Ok(frame);
            }
            if endless <= silent {
                return Err(Lifeless::Endless);
            }
            if self.last() + SILENCE <= silent {
                return Err(Lifeless::Silent);
            }
        }
    }

    fn felt(&self, body: Body) -> Body {
        let pulse = self.clone();
        Body::new(body.inspect_frame(move |_| pulse.beat()))
    }

    fn beat(&self) {
        *self.0.lock() = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::time::{interval, sleep};

    use super::*;

    const HALF: Duration = Duration::from_millis(2_750);

    /// Bytes come so often, and nothing else.
    async fn dribble(pulse: &Pulse, pause: Duration) -> Lifeless {
        let mut pauses = interval(pause);
        loop {
            pauses.tick().await;
            pulse.beat();
        }
    }

    /// What becomes of a frame that is complete after this time, while bytes come so often.
    async fn waited_for(complete: Duration, pause: Duration) -> Result<Option<&'static str>, Lifeless> {
        let pulse = Pulse::new();
        let mut frames = Box::pin(stream::once(async {
            sleep(complete).await;
            "frame"
        }));
        tokio::select! {
            next = pulse.next(&mut frames) => next,
            end = dribble(&pulse, pause) => Err(end),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_is_waited_for_as_long_as_its_bytes_come() {
        let pause = SILENCE - Duration::from_millis(1);
        assert_eq!(waited_for(20 * SILENCE, pause).await, Ok(Some("frame")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_of_which_no_byte_comes_is_silent() {
        let pause = SILENCE + Duration::from_millis(1);
        assert_eq!(waited_for(20 * SILENCE, pause).await, Err(Lifeless::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_falls_silent_within_a_frame_is_given_up() {
        let pulse = Pulse::new();
        let some_bytes = async {
            let _ = tokio::time::timeout(3 * SILENCE, dribble(&pulse, HALF)).await;
            std::future::pending::<()>().await;
        };
        let mut frames = stream::pending::<()>();
        tokio::select! {
            next = pulse.next(&mut frames) => assert_eq!(next, Err(Lifeless::Silent)),
            () = some_bytes => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_sends_a_byte_now_and_then_comes_to_an_end() {
        assert_eq!(waited_for(2 * LONGEST_FRAME, HALF).await, Err(Lifeless::Endless));
    }

    /// Whoever takes a frame may be busy with it for a while.
    #[tokio::test(start_paused = true)]
    async fn silence_begins_when_somebody_listens() {
        let pulse = Pulse::new();
        sleep(10 * SILENCE).await;
        let mut frames = Box::pin(stream::once(sleep(HALF)));
        assert_eq!(pulse.next(&mut frames).await, Ok(Some(())));
    }

    #[tokio::test(start_paused = true)]
    async fn the_bytes_of_a_body_are_signs_of_life() {
        let pulse = Pulse::new();
        let began = pulse.last();
        sleep(HALF).await;
        let mut body = pulse.felt(Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"v"))));
        assert_eq!(pulse.last(), began);
        assert!(body.frame().await.is_some());
        assert!(pulse.last() > began);
    }
}
