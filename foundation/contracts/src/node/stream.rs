// SPDX-License-Identifier: Apache-2.0
//! Streams of bytes between a node and the controller, and by way of the controller between nodes.
//!
//! A ticket opens one stream, to one node, in one direction. The controller makes it; the same stream has the same ticket
//! each time, so a node that lost its connection asks by it again. A node reads by `GET`, from the beginning, and knows by the
//! length that it has all; what it sends by `PUT` is taken when that is answered. A console is both at once, by `POST`: it is opened
//! once, and one that broke off is gone.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::{ImageId, ServerId, VolumeId};

/// The word by which a node opens a stream.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(String);

/// What a ticket is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stream", rename_all = "snake_case")]
pub enum Stream {
    /// The node reads an image's data.
    Image { sha512: String },
    /// The node sends a copy of a machine's disk that becomes this image.
    Snapshot { image_id: ImageId },
    /// The node sends a copy of a volume that becomes this image.
    VolumeCopy { volume_id: VolumeId, image_id: ImageId },
    /// The node sends a machine's disk to another node.
    DiskOut { transfer: Transfer },
    /// The node reads a machine's disk from another node.
    DiskIn { transfer: Transfer },
    /// Bytes both ways, to a console that was asked for under this name.
    Console { opening: String },
}

/// One disk on its way from one node to another: both ends name the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer {
    pub server_id: ServerId,
    /// Of whatever makes it move: an older move's stream does not meet a newer one's.
    pub of: String,
}

impl Ticket {
    pub fn new(word: String) -> Self {
        Self(word)
    }

    /// Where the stream is.
    pub fn path(&self) -> String {
        format!("/v1/streams/{}", self.0)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { sha512 } => write!(f, "the data {sha512}"),
            Self::Snapshot { image_id } => write!(f, "the disk that becomes image {image_id}"),
            Self::VolumeCopy { volume_id, image_id } => write!(f, "the volume {volume_id} that becomes image {image_id}"),
            Self::Console { opening } => write!(f, "the console of opening {opening}"),
            Self::DiskOut { transfer } | Self::DiskIn { transfer } => write!(f, "the disk of server {}", transfer.server_id),
        }
    }
}
