// SPDX-License-Identifier: Apache-2.0
//! How old what the reader knows is. It counts from when a reading began: what is committed later may not be in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::{Error, Result};

/// For how long after a reading nothing that was read before must be looked up again.
const TRUSTED: Duration = Duration::from_secs(1);

/// How long to wait for a reading. The database is silent then, and whoever asked can be told so.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct Clock {
    alone: bool,
    started: Instant,
    /// When the last whole reading began, in microseconds since the start, plus one; 0 before the first.
    read: AtomicU64,
    readings: watch::Sender<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("the changes of other controllers could not be read for {} seconds", PATIENCE.as_secs())]
struct Silent;

impl Clock {
    pub(super) fn new(alone: bool) -> Self {
        Self { alone, started: Instant::now(), read: AtomicU64::new(0), readings: watch::Sender::new(0) }
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX - 1) + 1
    }

    pub(super) fn is_current(&self) -> bool {
        let read = self.read.load(Ordering::Acquire);
        self.alone || read > 0 && self.now() - read <= TRUSTED.as_micros() as u64
    }

    /// A reading that began then has told all there was.
    pub(super) fn read(&self, began: u64) {
        self.read.store(began, Ordering::Release);
        self.readings.send_replace(began);
    }

    pub(super) async fn read_from_now_on(&self) -> Result<()> {
        let (asked, mut readings) = (self.now(), self.readings.subscribe());
        let read = readings.wait_for(|began| *began >= asked);
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Unreachable { source: Arc::new(Silent) }),
        }
    }
}
