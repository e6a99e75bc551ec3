// SPDX-License-Identifier: Apache-2.0
//! Asks the hosts by the clock whether they follow. OVN keeps the row of a host that has died, and nobody else would ask.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::Room;

const CLOCK: Duration = Duration::from_secs(20);
/// Questions that a host may leave unanswered: a busy one is late, and several controllers ask more often.
const PATIENCE: i64 = 3;

pub struct Heartbeat {
    room: Arc<Room>,
}

impl Heartbeat {
    pub fn new(room: Arc<Room>) -> Self {
        Self { room }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        loop {
            let northbound = &self.room.northbound;
            if northbound.ready(Instant::now() + CLOCK).await.is_ok()
                && let Err(error) = northbound.ask_hypervisors().await
            {
                tracing::warn!(%error, "the hosts were not asked whether they follow OVN");
            }
            tokio::time::sleep(CLOCK).await;
        }
    }
}

/// Whether a host that has not answered this many questions is thought to be there.
pub fn is_alive(unanswered: i64) -> bool {
    unanswered < PATIENCE
}
