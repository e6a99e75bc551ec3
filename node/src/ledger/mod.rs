// SPDX-License-Identifier: Apache-2.0
//! A machine's directory: what is wanted of it, what was done, and its files.
//!
//! Invariant: whatever a machine has outside (a process, a tap, a switch port) is there only while its directory is,
//! so that an agent that starts finds all by listing directories (test: `a_killed_agent_leaves_nothing_behind`).

mod recorded;
mod wanted;

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use qemu::RunDir;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;
use work::durable;

use crate::{Result, error::Doing, state_dir};

pub(crate) use recorded::{Halted, Kept, Lost, Recorded};
use wanted::ThisOrEarlier;
pub(crate) use wanted::Wanted;

#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    dir: PathBuf,
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
        match (self.read::<ThisOrEarlier>("wanted.json").map(Wanted::from), self.read::<Recorded>("recorded.json").map(Box::new))
        {
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

    /// What becomes of a root disk that comes from another node, until it is whole.
    pub fn arriving_disk(&self) -> PathBuf {
        self.dir.join("root.arriving")
    }

    pub fn kept_disk(&self) -> PathBuf {
        self.dir.join("root.kept.qcow2")
    }

    pub fn rescue_disk(&self) -> PathBuf {
        self.dir.join("rescue.qcow2")
    }

    /// The folder of a copy that is being taken, to be sent. It is there for as long as something of it may be.
    pub fn snapshot(&self) -> PathBuf {
        self.dir.join("snapshot")
    }

    /// The sockets by which volumes of other hosts are reached.
    pub fn bridges(&self) -> PathBuf {
        self.dir.join("b")
    }

    pub fn dir(&self) -> &Path {
        &self.dir
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
