// SPDX-License-Identifier: Apache-2.0
//! From a machine that runs to none: the guest is asked first, if it can hear.

use std::time::Duration;

use contracts::node::RebootKind;
use qemu::{Exit, Machine};
use tokio::time::{Instant, timeout};
use work::crash;

use super::task::Task;
use crate::{Result, ledger::Wanted};

const PRESS_EVERY: Duration = Duration::from_secs(10);

impl Task {
    pub(super) async fn stop(&mut self) -> Result<()> {
        let grace = self.grace();
        if let Some(machine) = self.machine().cloned() {
            crash::point("node.machine.stopping");
            // Something newer may be wanted before the guest is done; it is looked at then.
            if self.unless_changed(power_off(&machine, grace)).await.transpose()?.is_none() {
                return Ok(());
            }
            self.forget_process();
            crash::point("node.machine.stopped");
        }
        self.recorded.running = None;
        self.recorded.halted = None;
        if let Some(Wanted::Machine(machine)) = &self.kept {
            self.recorded.reboots = machine.reboots;
        }
        self.keep_recorded().await
    }

    /// Ends the process; that the count of reboots is behind then starts it again.
    pub(super) async fn reboot(&mut self, kind: RebootKind) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        if self.recorded.running.take().is_some() {
            self.keep_recorded().await?;
        }
        crash::point("node.machine.rebooting");
        match kind {
            RebootKind::Hard => drop(machine.turn_off().await?),
            RebootKind::Soft => {
                let grace = self.grace();
                if self.unless_changed(power_off(&machine, grace)).await.transpose()?.is_none() {
                    return Ok(());
                }
            }
        }
        self.forget_process();
        Ok(())
    }

    /// How long the guest has to power itself off. One that stands still does not hear of it.
    fn grace(&self) -> Duration {
        if self.trouble().is_some() || self.standstill.is_paused { Duration::ZERO } else { self.shop.host.config().stop_grace() }
    }
}

/// Presses the power button, again and again as a guest that is still booting does not hear it, and turns the machine
/// off when its time is over.
async fn power_off(machine: &Machine, grace: Duration) -> Result<Exit> {
    let over = Instant::now() + grace;
    loop {
        let left = over.saturating_duration_since(Instant::now());
        if left <= PRESS_EVERY {
            return Ok(machine.stop_within(left).await?);
        }
        if machine.qmp().system_powerdown().await.is_err() {
            return Ok(machine.turn_off().await?);
        }
        if let Ok(exit) = timeout(PRESS_EVERY, machine.exited()).await {
            return Ok(exit?);
        }
    }
}
