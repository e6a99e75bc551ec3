// SPDX-License-Identifier: Apache-2.0
//! A volume's folder: what is wanted of it, what was done, and its layers.
//!
//! Whatever a volume rests on has a name in its own folder: frozen layers that others rest on, too, and the cached image that it was
//! made of, are the same files under several names. So data goes with its last name, and nobody counts who rests on what.
//!
//! Invariant: what a volume rests on stays as long as the volume does, whatever becomes of what it was made of (test:
//! `a_clone_outlives_what_it_was_made_of`).

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use contracts::node::{Door, VolumeDesired};
use qemu::{DiskFormat, RunAs, RunDir, block};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use types::SnapshotId;
use uuid::Uuid;
use work::{crash, durable};

use crate::{Result, error::Doing, state_dir};

/// The image that a volume was made of, as its lowest layer.
pub(super) const BASE: &str = "base";
/// What a folder is called while it is being removed, before its name.
const LEAVING: &str = ".gone-";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    Volume(Box<VolumeDesired>),
    Gone,
}

/// What was done with a volume and must not be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The lowest first; only the last is written. None as long as the volume is not made.
    pub layers: Vec<Layer>,
    /// The frozen layer that a snapshot ends with.
    pub snapshots: BTreeMap<SnapshotId, String>,
    /// The layer that is about to be put above all others. It may be there already, and have data: it is never given up, but put
    /// there once more.
    #[serde(default)]
    pub fresh: Option<Fresh>,
    /// The machine that may have it open.
    #[serde(default)]
    pub opened_by: Option<Uuid>,
    /// Whom it is exported to, and where.
    #[serde(default)]
    pub exported: Option<Exported>,
    /// What is being merged, and lent to whoever does it.
    #[serde(default)]
    pub merging: Option<Pair>,
    /// Layers that nothing of this volume rests on any more, and that go.
    #[serde(default)]
    pub spent: Vec<String>,
}

/// Two frozen neighbours: what the upper one holds goes into the lower one, which takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub lower: String,
    pub upper: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub id: String,
    pub is_raw: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fresh {
    pub layer: String,
    /// What the layer below is called then, if anybody asked for that.
    pub snapshot: Option<SnapshotId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exported {
    pub door: Door,
    pub port: u16,
}

#[derive(Debug, Clone)]
pub(crate) struct Folder {
    dir: PathBuf,
}

/// What a folder tells.
pub(crate) enum Found {
    Kept {
        wanted: Wanted,
        recorded: Box<Recorded>,
    },
    /// Nothing of it was made yet.
    Begun,
    /// There is something, and what it is cannot be read any more.
    Unread,
}

impl Layer {
    /// A new one.
    pub fn fresh() -> Self {
        Self::named(Uuid::new_v4().simple().to_string()[..12].to_owned())
    }

    pub fn named(id: String) -> Self {
        Self { id, is_raw: false }
    }

    fn file(&self) -> String {
        if self.id == BASE { BASE.to_owned() } else { format!("{}.qcow2", self.id) }
    }
}

impl Folder {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The volumes that have a folder. What was being removed goes.
    pub fn list(volumes: &Path) -> Result<Vec<(Uuid, Found)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(volumes).doing(|| format!("list {}", volumes.display()))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(LEAVING) {
                durable::remove_dir(&entry.path()).doing(|| format!("remove {}", entry.path().display()))?;
            } else if let Ok(id) = name.parse::<Uuid>() {
                found.push((id, Self::new(entry.path()).look()));
            }
        }
        Ok(found)
    }

    fn look(&self) -> Found {
        match (self.read("wanted.json"), self.read("recorded.json")) {
            (Some(wanted), Some(recorded)) => Found::Kept { wanted, recorded },
            // What its making had come to is nobody's yet.
            (Some(wanted), None) if !self.dir.join("recorded.json").exists() => Found::Kept { wanted, recorded: Box::default() },
            _ if !self.has_layers() => Found::Begun,
            _ => Found::Unread,
        }
    }

    fn has_layers(&self) -> bool {
        let listed = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        listed.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "qcow2"))
    }

    pub fn keep_wanted(&self, wanted: &Wanted) -> Result<()> {
        self.keep("wanted.json", wanted)
    }

    pub fn keep_recorded(&self, recorded: &Recorded) -> Result<()> {
        self.keep("recorded.json", recorded)
    }

    /// Takes all of its names away, at once for whoever looks.
    pub fn remove(&self) -> Result<()> {
        let removing = || format!("remove {}", self.dir.display());
        let Some(name) = self.dir.file_name().filter(|_| self.dir.exists()) else { return Ok(()) };
        let leaving = self.dir.with_file_name(format!("{LEAVING}{}", name.to_string_lossy()));
        durable::remove_dir(&leaving).doing(removing)?;
        fs::rename(&self.dir, &leaving).doing(removing)?;
        durable::sync_directory_of(&leaving).doing(removing)?;
        crash::point("node.volume.removing");
        durable::remove_dir(&leaving).doing(removing)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn run_dir(&self) -> RunDir {
        RunDir::new(self.dir.join("run"))
    }

    /// What becomes of a copy, until it is sent.
    pub fn copy(&self) -> PathBuf {
        self.dir.join("copy")
    }

    pub fn path(&self, layer: &Layer) -> PathBuf {
        self.dir.join(layer.file())
    }

    /// Takes away what an attempt to make it left.
    pub fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.dir).doing(|| format!("list {}", self.dir.display()))?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "qcow2") || entry.file_name() == BASE {
                durable::remove_file(&path).doing(|| format!("remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// As QEMU is told of them.
    pub fn layers(&self, recorded: &Recorded) -> Vec<block::Layer> {
        recorded.layers.iter().map(|layer| self.layer(layer)).collect()
    }

    pub fn layer(&self, layer: &Layer) -> block::Layer {
        let format = if layer.is_raw { DiskFormat::Raw } else { DiskFormat::Qcow2 };
        block::Layer { id: layer.id.clone(), path: self.path(layer), format }
    }

    /// Gives a layer of another volume a name here, too.
    pub fn share(&self, from: &Path, layer: &Layer) -> Result<()> {
        let path = self.path(layer);
        let sharing = || format!("rest {} on {}", path.display(), from.display());
        match fs::hard_link(from, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let (here, there) = (fs::metadata(&path).doing(sharing)?, fs::metadata(from).doing(sharing)?);
                if (here.dev(), here.ino()) != (there.dev(), there.ino()) {
                    fs::remove_file(&path).and_then(|()| fs::hard_link(from, &path)).doing(sharing)?;
                }
                Ok(())
            }
            linked => linked.doing(sharing),
        }
    }

    /// Lets this user, and nobody else, walk in, and write the highest layer.
    pub fn hand_to(&self, recorded: &Recorded, user: RunAs) -> Result<()> {
        let handing = || format!("hand {} to its user", self.dir.display());
        if let Some(highest) = recorded.layers.last() {
            self.hand_layer(highest, user)?;
        }
        chown(&self.dir, Some(0), Some(user.gid)).doing(handing)?;
        fs::set_permissions(&self.dir, Permissions::from_mode(0o710)).doing(handing)
    }

    pub fn hand_layer(&self, layer: &Layer, user: RunAs) -> Result<()> {
        let path = self.path(layer);
        let handing = || format!("hand {} to its user", path.display());
        chown(&path, Some(user.uid), Some(user.gid)).doing(handing)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).doing(handing)
    }

    /// Whose it is, as [`Self::hand_to`] left it.
    pub fn user(&self, recorded: &Recorded) -> Option<RunAs> {
        let is = fs::metadata(self.path(recorded.layers.last()?)).ok()?;
        (is.uid() > 0).then(|| RunAs { uid: is.uid(), gid: is.gid() })
    }

    /// Whether another volume, or the cache of images, has the file under a name of its own.
    pub fn is_shared(&self, layer: &Layer) -> bool {
        // One that cannot be looked at is left alone.
        fs::metadata(self.path(layer)).map_or(true, |is| is.nlink() > 1)
    }

    /// Takes its name here away.
    pub fn drop_layer(&self, layer: &Layer) -> Result<()> {
        let path = self.path(layer);
        durable::remove_file(&path).doing(|| format!("remove {}", path.display()))
    }

    /// Nobody writes it any more; whoever can walk to it may read it.
    pub fn freeze(&self, layer: &Layer) -> Result<()> {
        let path = self.path(layer);
        let freezing = || format!("freeze {}", path.display());
        chown(&path, Some(0), Some(0)).doing(freezing)?;
        fs::set_permissions(&path, Permissions::from_mode(0o444)).doing(freezing)
    }

    /// Nobody has it open any more.
    pub fn take_back(&self, recorded: &Recorded) -> Result<()> {
        let taking = || format!("take {} back", self.dir.display());
        fs::set_permissions(&self.dir, Permissions::from_mode(0o700)).doing(taking)?;
        chown(&self.dir, Some(0), Some(0)).doing(taking)?;
        if let Some(highest) = recorded.layers.last() {
            let path = self.path(highest);
            chown(&path, Some(0), Some(0)).doing(taking)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600)).doing(taking)?;
        }
        Ok(())
    }

    pub fn sync(&self) -> Result<()> {
        let file = fs::File::open(&self.dir).and_then(|dir| dir.sync_all());
        file.doing(|| format!("sync {}", self.dir.display()))
    }

    fn keep(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.dir.join(name);
        let write = || -> io::Result<()> {
            if !self.dir.exists() {
                state_dir::make(&self.dir, 0o700)?;
                durable::sync_directory_of(&self.dir)?;
            }
            durable::write(&path, &serde_json::to_vec_pretty(value)?)
        };
        write().doing(|| format!("write {}", path.display()))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let json = fs::read(self.dir.join(name)).ok()?;
        match serde_json::from_slice(&json) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::error!(file = %self.dir.join(name).display(), %error, "a volume's record cannot be read");
                None
            }
        }
    }
}
