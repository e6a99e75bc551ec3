// SPDX-License-Identifier: Apache-2.0
//! The machine's process while there is one, and what QEMU says of it on the way.

use std::time::{Duration, Instant};

use qemu::{Devices, Event, Exit, Machine};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::Result;

const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Running {
    pub machine: Machine,
    /// What it has; none until QEMU was asked.
    pub devices: Option<Devices>,
    events: broadcast::Receiver<Event>,
    /// Its guest is turning it off, or the guest's watchdog is.
    switches_off: bool,
    /// When something was last said of it that a guest can bring about as often as it likes.
    complained_at: Option<Instant>,
    /// QEMU's word for why it is about to end, where it is not that.
    ends_by: Option<String>,
}

/// How a process ended that was not ended by its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    SwitchedOff,
    /// Against everybody's wish, and how.
    Lost(String),
}

impl Running {
    pub fn new(machine: Machine, devices: Option<Devices>) -> Self {
        Self { events: machine.events(), machine, devices, switches_off: false, complained_at: None, ends_by: None }
    }

    /// Waits for word that the guest stands still or runs again, or has let go of a device.
    pub async fn told(&mut self) {
        loop {
            match self.events.recv().await {
                Ok(event) if self.hear(&event) => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                // Its end is heard of in another way.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Whether it is a reason to look how the guest is.
    fn hear(&mut self, event: &Event) -> bool {
        let server = self.machine.id();
        match event {
            Event::Shutdown { by_guest: true, .. } => self.switches_off = true,
            Event::Shutdown { reason, .. } => self.ends_by = Some(reason.clone()),
            Event::Watchdog { action } => {
                if self.may_complain() {
                    tracing::warn!(%server, action, "the guest did not feed its watchdog");
                }
                self.switches_off |= action == "poweroff";
            }
            Event::DiskError { node, held: false, reason } if self.may_complain() => {
                tracing::warn!(%server, disk = node, reason, "a disk of the machine fails, as its guest sees");
            }
            Event::DiskError { held: true, .. } | Event::Stop | Event::Resume | Event::GuestPanicked => return true,
            Event::DeviceDeleted { .. } => {
                self.devices = None;
                return true;
            }
            Event::UnplugRefused { device } if self.may_complain() => {
                tracing::warn!(%server, device, "the guest will not let go of a device");
            }
            _ => {}
        }
        false
    }

    fn may_complain(&mut self) -> bool {
        let may = self.complained_at.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY);
        if may {
            self.complained_at = Some(Instant::now());
        }
        may
    }

    /// What its end was, now that it has ended.
    pub fn end(mut self, exit: &Result<Exit>) -> End {
        while let Ok(event) = self.events.try_recv() {
            self.hear(&event);
        }
        let server = self.machine.id();
        if self.switches_off {
            tracing::info!(%server, "the guest switched its machine off");
            return End::SwitchedOff;
        }
        let how = match (&self.ends_by, exit) {
            (Some(reason), _) => reason.clone(),
            (None, Ok(exit)) => exit.to_string(),
            (None, Err(error)) => error.chain(),
        };
        // Of one that is no child of ours the kernel does not tell how it ended.
        if self.ends_by.is_none() && !self.machine.run_dir().tells_of_force() {
            tracing::warn!(%server, how, "the machine's process ended, in an orderly way");
            return End::SwitchedOff;
        }
        tracing::error!(%server, how, "the machine's process was lost");
        End::Lost(lost(&how))
    }
}

pub(super) fn lost(how: &str) -> String {
    format!("the machine's process (QEMU) was ended from outside or failed: {how}")
}
