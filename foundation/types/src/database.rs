// SPDX-License-Identifier: Apache-2.0
//! How far a database was seen to have come: what tells an earlier copy from the original.

use serde::{Deserialize, Serialize};

use crate::DatabaseId;

/// Remembered outside of the database by whoever was told something from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseMark {
    pub database: DatabaseId,
    /// The id of its newest event.
    pub event: i64,
}
