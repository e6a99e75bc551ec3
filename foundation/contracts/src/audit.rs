// SPDX-License-Identifier: Apache-2.0
//! The audit: each room compares what is with what should be and reports the difference.

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, Refusal};

/// Something that is there and should not be, or the reverse. No finding, ever, is the goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub room: String,
    /// `leftover`, `missing` or `differs`.
    pub kind: String,
    /// What it is, e.g. `allocation`, `tap`, `Logical_Switch_Port`.
    pub thing: String,
    pub id: String,
    pub detail: String,
}

pub trait Audit: Send + Sync {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>>;
}
