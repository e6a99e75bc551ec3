// SPDX-License-Identifier: Apache-2.0
//! The volumes of a server: what it holds of them, in its claims, and how they come to it and go from it.
//!
//! A volume belongs to its own room; a server holds it from the request until its door is closed again. A door opens to the node
//! that runs the server and to no other, so a server that moves takes its volumes along after its source has let go of them.

pub(super) mod api;
mod converge;
pub(super) mod create;
pub(super) mod mapping;
pub(super) mod read;

use contracts::{
    node::{DiskDesired, Way},
    volumes::{VolumeAsk, VolumeFacts},
};
use serde::{Deserialize, Serialize};
use types::VolumeId;

/// So many disks a server has at most, its root among them.
pub(super) const MOST: usize = 16;

/// A volume of a server, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attached {
    pub ask: VolumeAsk,
    /// `/dev/vdb`: what its owner is told. What the guest makes of it is the guest's.
    pub device: String,
    /// The server boots from it.
    #[serde(default)]
    pub boots: bool,
    #[serde(default)]
    pub tag: Option<String>,
    #[serde(default)]
    pub delete_on_termination: bool,
}

/// What its room answered: its door is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub way: Way,
    /// GiB.
    pub size: u64,
    pub read_only: bool,
}

impl Reached {
    /// None while its door is not open.
    pub(crate) fn of(facts: &VolumeFacts) -> Option<Self> {
        Some(Self { way: facts.way.clone()?, size: facts.size, read_only: facts.read_only })
    }
}

impl Attached {
    pub(crate) fn id(&self) -> &VolumeId {
        &self.ask.volume_id
    }

    pub(crate) fn disk(&self, reached: &Reached) -> DiskDesired {
        DiskDesired {
            volume_id: self.ask.volume_id.clone(),
            attachment_id: self.ask.attachment_id.clone(),
            size: reached.size << 30,
            read_only: reached.read_only,
            boot: self.boots,
            tag: self.tag.clone(),
            way: reached.way.clone(),
        }
    }
}

/// The first name that no disk has yet. The first of all is the root's, whatever that is.
pub(super) fn free_device(taken: &[String]) -> Option<String> {
    let names = ('b'..='z').take(MOST - 1).map(|letter| format!("/dev/vd{letter}"));
    names.into_iter().find(|name| !taken.contains(name))
}

/// What a root that is a volume is called.
pub(super) const ROOT: &str = "/dev/vda";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_disks_are_given_in_their_order_and_again_when_they_are_free() {
        let mut taken = Vec::new();
        while let Some(name) = free_device(&taken) {
            taken.push(name);
        }
        assert_eq!(taken.len(), MOST - 1);
        assert_eq!((taken[0].as_str(), taken[14].as_str()), ("/dev/vdb", "/dev/vdp"));
        let freed = taken.remove(3);
        assert_eq!(free_device(&taken), Some(freed));
    }
}
