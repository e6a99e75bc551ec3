// SPDX-License-Identifier: Apache-2.0
//! Answers that are streams, and whose readers must get on.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// What the answer rests on (a file, a place) goes when its reader has not come for more in a long time, as a client of
/// HTTP/2 can do without the connection standing still.
pub struct HeededBody<B> {
    shared: Arc<Mutex<Shared<B>>>,
}

struct Shared<B> {
    body: Option<B>,
    /// Since when it is the reader who is waited for; none while the source is.
    reader_since: Option<Instant>,
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static> HeededBody<B> {
    pub fn new(body: B, idle: Duration) -> Self {
        let shared = Arc::new(Mutex::new(Shared { body: Some(body), reader_since: Some(Instant::now()) }));
        tokio::spawn(heed(Arc::downgrade(&shared), idle));
        Self { shared }
    }
}

/// Ends with the body.
async fn heed<B>(shared: Weak<Mutex<Shared<B>>>, idle: Duration) {
    let mut look_at = Instant::now() + idle;
    loop {
        sleep_until(look_at).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut shared = lock(&shared);
        look_at = shared.reader_since.unwrap_or_else(Instant::now) + idle;
        if look_at <= Instant::now() {
            shared.body = None;
            return;
        }
    }
}

fn lock<B>(shared: &Mutex<Shared<B>>) -> MutexGuard<'_, Shared<B>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for HeededBody<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut shared = lock(&self.shared);
        let Some(body) = &mut shared.body else {
            let message = "whoever reads this did not come for more";
            return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, message))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        shared.reader_since = polled.is_ready().then(Instant::now);
        polled
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.shared).body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.shared).body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    #[tokio::test]
    async fn what_nobody_reads_any_more_is_let_go() {
        let held = Arc::new(());
        let holds = held.clone();
        let zeros = stream::repeat_with(move || {
            let _ = &holds;
            Ok(Frame::data(Bytes::from_static(b"0")))
        });
        let mut body = HeededBody::new(StreamBody::new(zeros), Duration::from_millis(300));
        for _ in 0..10 {
            body.frame().await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(Arc::strong_count(&held), 2);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(Arc::strong_count(&held), 1, "the source is let go while the body is still there");
        assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_source_that_has_nothing_to_say_may_be_silent() {
        let late = stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Frame::data(Bytes::from_static(b"late")))
        });
        let mut body = HeededBody::new(StreamBody::new(late.boxed()), Duration::from_millis(100));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "late");
    }
}
