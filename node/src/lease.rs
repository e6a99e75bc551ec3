// SPDX-License-Identifier: Apache-2.0
//! The lease: until when this node may count on nobody else having what is exclusively its.
//!
//! A node that is cut off cannot know what its controller decides meanwhile. So what is exclusive stands still when the lease is
//! over, before anybody may open it elsewhere, and goes on with the next one. An agent that starts has none yet.

use contracts::node;
use tokio::{
    sync::watch,
    time::{Duration, Instant},
};

#[derive(Clone)]
pub(crate) struct Lease {
    until: watch::Sender<Option<Instant>>,
}

impl Lease {
    pub fn new() -> Self {
        Self { until: watch::Sender::new(None) }
    }

    /// Times are counted from just before the session was asked for.
    pub fn grant(&self, session: Instant, lease: node::Lease) {
        let until = session + Duration::from_millis(lease.at_ms) + Duration::from_millis(lease.for_ms);
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

    /// Waits until there is none any more, or there is one again.
    pub async fn changed(&self) {
        let mut until = self.until.subscribe();
        loop {
            let now = *until.borrow_and_update();
            match now {
                Some(at) if at > Instant::now() => {
                    tokio::time::sleep_until(at).await;
                    // It may have been made longer meanwhile.
                    if self.is_over() {
                        return;
                    }
                }
                _ => {
                    let _ = until.changed().await;
                    return;
                }
            }
        }
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_none_or(|until| until <= Instant::now())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_ends_by_itself_and_is_made_longer() {
        let lease = Lease::new();
        assert!(lease.is_over(), "an agent that starts has none");
        let began = Instant::now();
        let heard = tokio::spawn({
            let lease = lease.clone();
            async move { lease.changed().await }
        });
        while lease.until.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        lease.grant(began, node::Lease { at_ms: 0, for_ms: 60_000 });
        heard.await.unwrap();
        assert!(!lease.is_over());

        let lease = Lease::new();
        lease.grant(began, node::Lease { at_ms: 300, for_ms: 200 });
        // An earlier word that comes late takes nothing away.
        lease.grant(began, node::Lease { at_ms: 100, for_ms: 200 });
        lease.changed().await;
        assert!(lease.is_over() && began.elapsed() >= Duration::from_millis(500));
    }
}
