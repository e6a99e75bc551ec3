// SPDX-License-Identifier: Apache-2.0
//! How slow the other end of a stream may be, and what it has done by now.

use std::time::Duration;

use tokio::time::Instant;

/// How slow the other end of a stream may be. Only the time counts in which it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// For how long nothing at all may come.
    pub idle: Duration,
    /// Bytes a second that must come on average, once as much time as it may be idle has gone by.
    pub bytes_per_second: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), bytes_per_second: 4096 }
    }
}

impl Pace {
    pub(crate) fn error(self) -> std::io::Error {
        let Self { idle, bytes_per_second } = self;
        let seconds = idle.as_secs();
        let message = format!("nothing moved for {seconds} s, or less than {bytes_per_second} bytes a second did");
        std::io::Error::new(std::io::ErrorKind::TimedOut, message)
    }
}

/// What a stream has done by now.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes: u64,
    waited: Duration,
    /// Since when it is waited for.
    since: Option<Instant>,
}

impl Progress {
    /// Begins to wait, or waits on. Until when, at most?
    pub fn wait(&mut self, pace: Pace) -> Instant {
        let since = *self.since.get_or_insert_with(Instant::now);
        let earned = Duration::from_millis(self.bytes.saturating_mul(1000) / pace.bytes_per_second.max(1));
        let left = (pace.idle + earned).saturating_sub(self.waited);
        since + left.min(pace.idle)
    }

    /// So many bytes came.
    pub fn came(&mut self, bytes: u64) {
        self.bytes += bytes;
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }
}
