// SPDX-License-Identifier: Apache-2.0
//! The commands that we use, with types. Anything else goes through [`Qmp::execute`].

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Qmp;
use crate::error::Error;
use crate::{Accelerator, Result};

/// QEMU's own version, as triple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub micro: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// What the machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RunState {
    /// Started paused, and never yet continued.
    Prelaunch,
    Running,
    /// Paused by us.
    Paused,
    Shutdown,
    Suspended,
    GuestPanicked,
    InternalError,
    IoError,
    /// Its watchdog was not fed, and was told to pause it then.
    Watchdog,
    Inmigrate,
    Postmigrate,
    FinishMigrate,
    /// One of the rarer states, which are all some kind of "not running".
    #[serde(other)]
    Other,
}

impl Qmp {
    pub async fn run_state(&self) -> Result<RunState> {
        #[derive(Deserialize)]
        struct Status {
            status: RunState,
        }
        Ok(self.execute::<Status>("query-status", Value::Null).await?.status)
    }

    /// Lets the guest run (again).
    pub async fn cont(&self) -> Result<()> {
        self.order("cont").await
    }

    /// Pauses the guest.
    pub async fn stop(&self) -> Result<()> {
        self.order("stop").await
    }

    /// Presses the power button.
    pub async fn system_powerdown(&self) -> Result<()> {
        self.order("system_powerdown").await
    }

    /// Presses the reset button.
    pub async fn system_reset(&self) -> Result<()> {
        self.order("system_reset").await
    }

    /// Ends QEMU. That it is gone before it could answer counts as done.
    pub async fn quit(&self) -> Result<()> {
        match self.order("quit").await {
            Err(Error::Closed) => Ok(()),
            done => done,
        }
    }

    /// What runs the guest's processor.
    pub async fn accelerator(&self) -> Result<Accelerator> {
        #[derive(Deserialize)]
        struct Kvm {
            enabled: bool,
        }
        let kvm: Kvm = self.execute("query-kvm", Value::Null).await?;
        Ok(if kvm.enabled { Accelerator::Kvm } else { Accelerator::Tcg })
    }

    async fn order(&self, command: &str) -> Result<()> {
        self.execute::<Value>(command, Value::Null).await.map(drop)
    }
}
