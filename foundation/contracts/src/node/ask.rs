// SPDX-License-Identifier: Apache-2.0
//! Questions to a node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::ServerId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    ConsoleLog {
        server_id: ServerId,
        lines: Option<u64>,
    },
    /// Everything of ours on the host, for the audit.
    Inventory,
    /// Remove this tap or port of the switch, by the operator's word; one that a machine has is refused.
    RemoveDevice {
        name: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    ConsoleLog {
        text: String,
    },
    Inventory {
        processes: Vec<String>,
        taps: Vec<String>,
        /// Machines that have a folder, with the taps that were made for them.
        machines: BTreeMap<String, Vec<String>>,
        switch_ports: Vec<String>,
        namespaces: Vec<String>,
    },
    Removed,
    Refused {
        message: String,
    },
}
