// SPDX-License-Identifier: Apache-2.0
//! What a machine passes through. It is told only of what lasts: a report costs the controller a write, and what is over by the
//! time it has made it is no news.

use std::{pin::pin, sync::Arc, time::Duration};

use contracts::node::{MachineObserved, MachineState};
use tokio::time::timeout;

use super::{Workshop, task::Task};

/// A start of QEMU takes less.
const A_MOMENT: Duration = Duration::from_millis(250);

pub(super) struct Passing {
    shop: Arc<Workshop>,
    found: MachineObserved,
}

impl Task {
    /// The machine is at this step of being prepared.
    pub(super) fn passing(&self, step: &str) -> Passing {
        Passing { shop: self.shop.clone(), found: self.observed(MachineState::Preparing { step: step.into() }) }
    }
}

impl Passing {
    /// Does the work of the step, which is reported if it is not over soon.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Ok(done) = timeout(A_MOMENT, &mut work).await {
            return done;
        }
        self.shop.board.write(self.found);
        work.await
    }
}
