// SPDX-License-Identifier: Apache-2.0
//! The lines of a session, from the controller to the node.

use serde::{Deserialize, Serialize};
use types::DatabaseMark;

use super::{Ask, Thing};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToNode {
    /// First line of a session.
    Welcome {
        /// The version that the rest of the session is in.
        protocol: u32,
        node: NodeSettings,
        lease: Lease,
    },
    /// These shall be so.
    Desired {
        /// Grows with each such line of a session, from one.
        seq: u64,
        /// This is all that is wanted: the second line of a session. Otherwise it is what changed.
        whole: bool,
        things: Vec<Thing>,
        /// How far the database had come at least that says so.
        database: DatabaseMark,
    },
    Ask {
        id: u64,
        ask: Ask,
    },
    /// Sent every few seconds, so that both sides notice a dead connection.
    Beat {
        lease: Lease,
    },
}

/// What the controller tells a node about the cloud it joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Where OVN's southbound database listens, e.g. `ssl:10.0.0.1:6642` or `unix:/…`.
    pub southbound: String,
    /// Where the controllers listen for nodes, the one that speaks first. Empty from one that does not know.
    #[serde(default)]
    pub controllers: Vec<String>,
}

/// For how long the node may count on nobody else having what is exclusively its.
///
/// Both times begin where the session does: for the controller when it takes the session, for the node just before it asked
/// for one. So a lease ends at the node before it ends at the controller, however long a line was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// When it was granted.
    pub at_ms: u64,
    pub for_ms: u64,
}
