// SPDX-License-Identifier: Apache-2.0
//! What was done with a machine and must not be forgotten.

use contracts::node::{RootDisk, Ticket};
use serde::{Deserialize, Serialize};
use types::Generation;

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
    /// The stream by which the disk came here, or is to come. Such a disk rests on no image.
    #[serde(default)]
    pub received: Option<Ticket>,
    /// The stream by which the disk went out and was taken.
    #[serde(default)]
    pub sent: Option<Ticket>,
    /// What the disk was made of from which the machine is rescued.
    #[serde(default)]
    pub rescue: Option<RootDisk>,
    #[serde(default)]
    pub kept: Option<Kept>,
    /// The ports that taps were made for.
    #[serde(default)]
    pub ports: Vec<types::PortId>,
    /// The volumes that it may have open.
    #[serde(default)]
    pub volumes: Vec<types::VolumeId>,
    /// The host's boot in which KVM failed the machine, so that it is emulated.
    #[serde(default)]
    pub emulated: Option<String>,
}

/// The copy that was made of the root disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub mark: u64,
    /// It has become the root again.
    pub is_back: bool,
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
        let (running, halted, root, received, sent, rescue, kept, emulated) = Default::default();
        Self {
            uid,
            reboots,
            running,
            halted,
            root,
            received,
            sent,
            rescue,
            kept,
            ports: Vec::new(),
            volumes: Vec::new(),
            emulated,
        }
    }

    /// The root disk was made as it is wanted.
    pub fn has_root(&self, wanted: &RootDisk) -> bool {
        self.root.as_ref().is_some_and(|made| is_of(made, wanted))
    }

    pub fn has_rescue(&self, wanted: &RootDisk) -> bool {
        self.rescue.as_ref().is_some_and(|made| is_of(made, wanted))
    }
}

/// A disk of a later edition than is wanted is kept: who wants it knows less than this node.
fn is_of(made: &RootDisk, wanted: &RootDisk) -> bool {
    let is_later = made.edition > wanted.edition;
    is_later || (made.edition, &made.sha512, &made.format) == (wanted.edition, &wanted.sha512, &wanted.format)
}
