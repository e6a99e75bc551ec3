// SPDX-License-Identifier: Apache-2.0
//! A machine's directory: what is wanted of it, what was done, and its files.
//!
//! Invariant: whatever a machine has outside (a process, a tap, a switch port) is there only while its directory is,
//! so that an agent that starts finds all by listing directories (test: `a_killed_agent_leaves_nothing_behind`).

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use contracts::node::RootDisk;
use qemu::RunDir;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use types::Generation;
use uuid::Uuid;
use work::durable;

use super::Wanted;
use crate::{Result, error::Doing, state_dir};

#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    dir: PathBuf,
}

/// What the task did and must not forget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The user that the machine runs as.
    pub uid: u32,
    /// The reboots that are done.
    pub reboots: u32,
    /// The host's boot in which the machine was seen to run and was not stopped by us.
    pub running: Option<String>,
    pub halted: Option<Halted>,
    /// What the disk was made of.
    pub root: Option<RootDisk>,
    /// The ports that taps were made for.
    #[serde(default)]
    pub ports: Vec<types::PortId>,
    /// The host's boot in which KVM failed the machine, so that it is emulated.
    #[serde(default)]
    pub emulated: Option<String>,
}

/// What a machine's directory tells.
#[derive(Debug)]
pub(crate) enum Found {
    Kept {
        wanted: Wanted,
        recorded: Box<Recorded>,
    },
    /// Nothing was done yet when its making was cut short: there is no disk.
    Begun {
        recorded: Option<Box<Recorded>>,
    },
    /// There is something, and what it is cannot be read any more.
    Unread {
        uid: Option<u32>,
    },
}

impl Found {
    pub fn uid(&self) -> Option<u32> {
        match self {
            Self::Kept { recorded, .. } => Some(recorded.uid),
            Self::Begun { recorded } => recorded.as_ref().map(|recorded| recorded.uid),
            Self::Unread { uid } => *uid,
        }
    }

    /// The ports that taps were made for.
    pub fn ports(&self) -> &[types::PortId] {
        match self {
            Self::Kept { recorded, .. } | Self::Begun { recorded: Some(recorded) } => &recorded.ports,
            Self::Begun { recorded: None } | Self::Unread { .. } => &[],
        }
    }
}

/// The machine stopped by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Halted {
    /// What was wanted when the controller learned of it; none until then.
    pub known_at: Option<Generation>,
    #[serde(default)]
    pub lost: Option<Lost>,
}

/// It was not its guest that ended it, nor anybody's wish. With the host it comes up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub cause: String,
    /// The host's boot in which it happened.
    pub boot_id: String,
}

impl Recorded {
    pub fn new(uid: u32, reboots: u32) -> Self {
        Self { uid, reboots, running: None, halted: None, root: None, ports: Vec::new(), emulated: None }
    }
}

impl Ledger {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The machines that have a directory.
    pub fn list(machines: &Path) -> Result<Vec<(Uuid, Found)>> {
        let entries = fs::read_dir(machines).doing(|| format!("list {}", machines.display()))?;
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Uuid>().ok());
        Ok(ids.map(|id| (id, Self::new(machines.join(id.to_string())).look())).collect())
    }

    /// Invariant: a disk whose ledger cannot be read is not removed (test: `a_machine_whose_ledger_is_damaged_keeps_its_disk`).
    fn look(&self) -> Found {
        match (self.read::<Wanted>("wanted.json"), self.read::<Recorded>("recorded.json").map(Box::new)) {
            (Some(wanted), Some(recorded)) => Found::Kept { wanted, recorded },
            (_, recorded) if !self.root_disk().exists() => Found::Begun { recorded },
            (_, Some(recorded)) => Found::Unread { uid: Some(recorded.uid) },
            (_, None) => Found::Unread { uid: fs::metadata(self.root_disk()).ok().map(|disk| disk.uid()).filter(|uid| *uid > 0) },
        }
    }

    pub fn keep_wanted(&self, wanted: &Wanted) -> Result<()> {
        self.keep("wanted.json", wanted)
    }

    pub fn keep_recorded(&self, recorded: &Recorded) -> Result<()> {
        self.keep("recorded.json", recorded)
    }

    /// The last trace of a machine.
    pub fn remove(&self) -> Result<()> {
        durable::remove_dir(&self.dir).doing(|| format!("remove {}", self.dir.display()))
    }

    pub fn root_disk(&self) -> PathBuf {
        self.dir.join("root.qcow2")
    }

    /// The folder of a snapshot that is being taken. It is there for as long as something of it may be.
    pub fn snapshot(&self) -> PathBuf {
        self.dir.join("snapshot")
    }

    pub fn config_drive(&self) -> PathBuf {
        self.dir.join("config.iso")
    }

    pub fn console_log(&self) -> PathBuf {
        self.dir.join("console.log")
    }

    pub fn run_dir(&self) -> RunDir {
        RunDir::new(self.dir.join("run"))
    }

    /// Lets the machine's own user, and nobody else, read a file.
    pub fn hand_to(&self, path: &Path, uid: u32) -> Result<()> {
        chown(path, Some(uid), Some(uid)).doing(|| format!("hand {} to the machine's user", path.display()))
    }

    fn keep(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.dir.join(name);
        let write = || -> io::Result<()> {
            // The machine's user walks through to its disk, and sees nothing else.
            state_dir::make(&self.dir, 0o711)?;
            durable::write(&path, &serde_json::to_vec_pretty(value)?)
        };
        write().doing(|| format!("write {}", path.display()))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let json = fs::read(self.dir.join(name)).ok()?;
        match serde_json::from_slice(&json) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::error!(file = %self.dir.join(name).display(), %error, "a machine's ledger cannot be read");
                None
            }
        }
    }
}
