// SPDX-License-Identifier: Apache-2.0
//! The lease: until when this node may count on nobody else having what is exclusively its.
//!
//! A node that is cut off cannot know what its controller decides meanwhile. So what is exclusive stands still when the lease is
//! over, before anybody may open it elsewhere, and goes on with the next one. An agent that starts has none yet.
//!
//! The controller's clock goes on while a host is suspended, and so does a lease: its end is a moment of the clock that counts
//! that time, too.

use std::{io, os::fd::OwnedFd};

use contracts::node;
use nix::{
    sys::{
        time::TimeSpec,
        timerfd::{ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    time::{ClockId, clock_gettime},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::watch,
    time::Duration,
};

/// A moment since this host began, the time in which it slept included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    pub fn now() -> Self {
        // Without a clock no lease is good any more.
        Self(clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from))
    }

    fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    /// Waits for it, or for a little less: who waits looks again.
    async fn come(self) {
        match self.alarm() {
            Ok(alarm) => drop(alarm.readable().await),
            Err(error) => {
                tracing::debug!(%error, "there is no alarm for the end of the lease; it is looked at every second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    // The newer way asks for a promise that an owned descriptor keeps by itself, and for unsafe code to give it.
    #[allow(deprecated)]
    fn alarm(self) -> io::Result<AsyncFd<OwnedFd>> {
        let timer = TimerFd::new(TimerClock::CLOCK_BOOTTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        timer.set(Expiration::OneShot(TimeSpec::from_duration(self.0)), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        AsyncFd::with_interest(timer.into(), Interest::READABLE)
    }
}

#[derive(Clone)]
pub(crate) struct Lease {
    until: watch::Sender<Option<Moment>>,
}

impl Lease {
    pub fn new() -> Self {
        Self { until: watch::Sender::new(None) }
    }

    /// Times are counted from just before the session was asked for.
    pub fn grant(&self, session: Moment, lease: node::Lease) {
        let until = session.plus(Duration::from_millis(lease.at_ms)).plus(Duration::from_millis(lease.for_ms));
        self.until.send_if_modified(|current| {
            let was_over = is_over(*current);
            let longer = current.is_none_or(|current| until > current);
            if longer {
                *current = Some(until);
            }
            // Of a lease that goes on nobody needs to hear.
            longer && was_over
        });
    }

    pub fn is_over(&self) -> bool {
        is_over(*self.until.borrow())
    }

    /// Waits until it is another way than the caller last saw it: over, or not. Also when that came about before he asked, or he
    /// would act on what he saw until the next change.
    pub async fn changed(&self, was_over: bool) {
        let mut until = self.until.subscribe();
        loop {
            let now = *until.borrow_and_update();
            if is_over(now) != was_over {
                return;
            }
            match now.filter(|at| *at > Moment::now()) {
                // It may have been made longer meanwhile.
                Some(at) => at.come().await,
                None if until.changed().await.is_err() => return,
                None => {}
            }
        }
    }
}

fn is_over(until: Option<Moment>) -> bool {
    until.is_none_or(|until| until <= Moment::now())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_ends_by_itself_and_is_made_longer() {
        let lease = Lease::new();
        assert!(lease.is_over(), "an agent that starts has none");
        let began = Moment::now();
        let heard = tokio::spawn({
            let lease = lease.clone();
            async move { lease.changed(true).await }
        });
        while lease.until.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        lease.grant(began, node::Lease { at_ms: 0, for_ms: 60_000 });
        heard.await.unwrap();
        assert!(!lease.is_over());
        // It came before anybody waited for it.
        lease.changed(true).await;

        let lease = Lease::new();
        lease.grant(began, node::Lease { at_ms: 300, for_ms: 200 });
        // An earlier word that comes late takes nothing away.
        lease.grant(began, node::Lease { at_ms: 100, for_ms: 200 });
        lease.changed(false).await;
        assert!(lease.is_over() && Moment::now() >= began.plus(Duration::from_millis(500)));
    }
}
