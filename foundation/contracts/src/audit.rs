// SPDX-License-Identifier: Apache-2.0
//! The audit: each room compares what is with what should be and reports the difference.

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, Refusal};

/// Something that is there and should not be, or the reverse. No finding, ever, is the goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub room: String,
    /// `leftover`, `missing` or `differs`; or [`STRAY`].
    pub kind: String,
    /// What it is, e.g. `allocation`, `tap`, `Logical_Switch_Port`.
    pub thing: String,
    pub id: String,
    /// Where it is, if there are several such places: a host, a store.
    #[serde(default)]
    pub place: String,
    pub detail: String,
}

/// The kind of what no table knows of and nobody said to remove: as after the tables were put back to an earlier state. It is
/// kept until the operator says that it shall go.
pub const STRAY: &str = "stray";

pub trait Audit: Send + Sync {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>>;

    /// Sees to it that this stray goes, which the room has found itself: the operator's word. What is known by now is
    /// refused. It may take a while after this returns.
    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>>;
}
