// SPDX-License-Identifier: Apache-2.0
//! What compute and the nodes need of the image room.

use std::{collections::BTreeMap, path::PathBuf};

use types::{ImageId, ProjectId};

use crate::{BoxFuture, Refusal};

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

pub trait Images: Send + Sync {
    /// The image as this project sees it; another's private image is not found. `None` asks as the operator.
    fn get<'a>(&'a self, seen_by: Option<&'a ProjectId>, id: &'a ImageId) -> BoxFuture<'a, Result<ImageFacts, Refusal>>;

    /// Where the data of an active image lies on this controller.
    fn file<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<PathBuf, Refusal>>;
}
