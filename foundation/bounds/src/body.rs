// SPDX-License-Identifier: Apache-2.0
//! Bodies whose senders must get on.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};

use crate::{Pace, pace::Progress};

/// Fails with [`io::ErrorKind::TimedOut`] when the sender is slower than the pace. What the reader takes for himself does
/// not count against the sender.
pub struct PacedBody<B> {
    inner: B,
    pace: Pace,
    progress: Progress,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<B> PacedBody<B> {
    pub fn new(inner: B, pace: Pace) -> Self {
        Self { inner, pace, progress: Progress::default(), alarm: None }
    }
}

impl<B> Body for PacedBody<B>
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            let length = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Buf::remaining),
                _ => 0,
            };
            this.progress.came(length as u64);
            this.alarm = None;
            return Poll::Ready(frame);
        }
        let until = this.progress.wait(this.pace);
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Some(Err(this.pace.error())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::Instant;

    use super::*;

    const PACE: Pace = Pace { idle: Duration::from_millis(500), bytes_per_second: 1000 };

    /// So many bytes every so many milliseconds, for ever.
    fn drip(bytes: usize, every: u64) -> impl Body<Data = Bytes, Error = io::Error> + Unpin {
        let drops = stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(every)).await;
            Some((Ok(Frame::data(Bytes::from(vec![0; bytes]))), ()))
        });
        StreamBody::new(Box::pin(drops))
    }

    #[tokio::test]
    async fn who_falls_silent_or_drips_is_cut_off() {
        for (bytes, every) in [(1, 1_000_000), (1, 100), (50, 100)] {
            let start = Instant::now();
            let mut body = PacedBody::new(drip(bytes, every), PACE);
            let error = loop {
                if let Err(error) = body.frame().await.unwrap() {
                    break error;
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let took = start.elapsed();
            assert!(took >= PACE.idle && took < PACE.idle * 20, "{bytes} bytes every {every} ms: {took:?}");
        }
    }

    #[tokio::test]
    async fn who_gets_on_may_take_as_long_as_it_takes() {
        let mut body = PacedBody::new(drip(1000, 20), PACE);
        for _ in 0..20 {
            body.frame().await.unwrap().unwrap();
            // The reader takes his time, which is not the sender's fault.
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        tokio::time::sleep(PACE.idle * 2).await;
        body.frame().await.unwrap().unwrap();
    }
}
