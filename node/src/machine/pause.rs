// SPDX-License-Identifier: Apache-2.0
//! A guest that is held still in memory, and let go on. QEMU knows which it is; nothing is written down.

use work::crash;

use super::task::Task;
use crate::Result;

impl Task {
    pub(super) async fn pause(&mut self) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        crash::point("node.machine.pausing");
        machine.pause().await?;
        crash::point("node.machine.paused");
        Ok(())
    }

    pub(super) async fn unpause(&mut self) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        machine.cont().await?;
        crash::point("node.machine.unpaused");
        Ok(())
    }
}
