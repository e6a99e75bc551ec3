// SPDX-License-Identifier: Apache-2.0
//! Connections whose other end must take what it is sent.

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep_until},
};

use crate::{Pace, pace::Progress};

/// Seconds after which a silent peer is asked whether it is there, between questions, and how many may stay unanswered.
const ASK_AFTER: u32 = 60;
const ASK_EVERY: u32 = 15;
const ASK_AT_MOST: u32 = 4;

/// A peer that is gone without a word, as after a power cut, is noticed within two minutes.
pub fn notice_dead_peers(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &ASK_AFTER)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &ASK_EVERY)?;
    setsockopt(socket, sockopt::TcpKeepCount, &ASK_AT_MOST)?;
    Ok(())
}

/// Writing fails with [`io::ErrorKind::TimedOut`] when the other end takes less than the pace. Reading is as it was: who
/// says nothing is for those to judge who know whether it is his turn.
pub struct PacedIo<S> {
    inner: S,
    pace: Pace,
    progress: Progress,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> PacedIo<S> {
    pub fn new(inner: S, pace: Pace) -> Self {
        Self { inner, pace, progress: Progress::default(), alarm: None }
    }

    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.progress.came(written.as_ref().map_or(0, |bytes| *bytes as u64));
            self.alarm = None;
            return Poll::Ready(written);
        }
        let until = self.progress.wait(self.pace);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Err(self.pace.error()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.judge(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use tokio::{io::AsyncWriteExt, time::Instant};

    use super::*;

    #[tokio::test]
    async fn who_does_not_take_what_he_is_sent_is_cut_off() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let pace = Pace { idle: Duration::from_millis(200), bytes_per_second: 100 };
        let mut ours = PacedIo::new(ours, pace);
        let start = Instant::now();
        let error = ours.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= pace.idle);
    }
}
