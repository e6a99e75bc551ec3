// SPDX-License-Identifier: Apache-2.0
//! What compute and the nodes need of the image room.

use std::{collections::BTreeMap, io, path::PathBuf, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use types::{ImageId, ProjectId, UserId};

use crate::{BoxFuture, Refusal};

/// Data on its way.
pub type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    pub id: ImageId,
    pub name: String,
    /// `active` is the only one from which a machine can boot.
    pub status: String,
    /// `raw`, `qcow2`, …: what the content was checked to be.
    pub disk_format: String,
    /// `bare`, `ova`, …: what the disk is in.
    pub container_format: String,
    pub size: u64,
    pub virtual_size: u64,
    /// GiB.
    pub min_disk: u64,
    /// MiB.
    pub min_ram: u64,
    /// Hex sha512 of the data: the name under which nodes cache it.
    pub sha512: String,
    pub properties: BTreeMap<String, String>,
}

/// The image that a snapshot of a machine's disk becomes. Its id is chosen by who asks, so that asking twice makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSnapshot {
    pub id: ImageId,
    pub owner: ProjectId,
    pub name: String,
    /// GiB.
    pub min_disk: u64,
    /// MiB.
    pub min_ram: u64,
    pub properties: BTreeMap<String, String>,
    /// Who asked for it with which roles, in which request.
    pub user: UserId,
    pub roles: Vec<String>,
    pub request_id: String,
}

pub trait Images: Send + Sync {
    /// The image as this project sees it; another's private image is not found. `None` asks as the operator.
    fn get<'a>(&'a self, seen_by: Option<&'a ProjectId>, id: &'a ImageId) -> BoxFuture<'a, Result<ImageFacts, Refusal>>;

    /// Where the data of an active image lies on this controller.
    fn file<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<PathBuf, Refusal>>;

    /// Makes the private image that waits for a snapshot's data, within its project's quota; fine if it is there.
    fn ensure_snapshot<'a>(&'a self, snapshot: &'a NewSnapshot) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Takes the data of a snapshot, a qcow2 disk, judged as any other; fine if the image has its data already. It waits
    /// for its data again if they break off, and is not found if it was deleted.
    fn receive_snapshot<'a>(&'a self, id: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Deletes an image that waits for a snapshot's data in vain; one that has its data stays.
    fn release_snapshot<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Refusal>>;
}
