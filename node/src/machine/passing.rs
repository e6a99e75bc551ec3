// SPDX-License-Identifier: Apache-2.0
//! What a machine passes through. It is told only of what lasts: a report costs the controller a write, and what is over by the
//! time it has made it is no news.

use std::{pin::pin, sync::Arc, time::Duration};

use contracts::node::{MachineObserved, MachineState};
use tokio::time::timeout;

use super::task::Task;
use crate::board::Board;

/// A start of QEMU takes less.
const A_MOMENT: Duration = Duration::from_millis(250);

pub(super) struct Passing {
    board: Arc<Board>,
    found: MachineObserved,
}

impl Task {
    /// The machine is at this step of being prepared.
    pub(super) fn passing(&self, step: &str) -> Passing {
        Passing { board: self.shop.board.clone(), found: self.observed(MachineState::Preparing { step: step.into() }) }
    }
}

impl Passing {
    /// Does the work of the step, which is reported if it is not over soon.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Ok(done) = timeout(A_MOMENT, &mut work).await {
            return done;
        }
        self.board.write(self.found);
        work.await
    }
}

#[cfg(test)]
mod tests {
    use types::Generation;

    use super::*;

    #[tokio::test]
    async fn what_is_over_at_once_is_not_told_and_what_lasts_is() {
        let board = Arc::new(Board::new());
        let state = MachineState::Preparing { step: "image".into() };
        let found = MachineObserved {
            server_id: "a".into(),
            generation: Generation(1),
            reboots: 0,
            state,
            snapshot: None,
            devices: vec![],
        };
        let passing = || Passing { board: board.clone(), found: found.clone() };
        assert_eq!(passing().during(std::future::ready(1)).await, 1);
        assert_eq!(board.mark(), 0);
        passing().during(board.changed_after(0)).await;
        assert_eq!(board.since(0).things, [found.clone().into()]);
    }
}
