// SPDX-License-Identifier: Apache-2.0
//! Questions to a node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::ServerId;

use super::Ticket;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    ConsoleLog {
        server_id: ServerId,
        lines: Option<u64>,
    },
    /// Open a console of this machine and connect it by this ticket. Asked only of a node that can ([`super::Feature::Console`]).
    OpenConsole {
        server_id: ServerId,
        console: Console,
        ticket: Ticket,
    },
    /// Everything of ours on the host, for the audit.
    Inventory,
    /// Remove this tap or port of the switch, by the operator's word; one that a machine has is refused.
    RemoveDevice {
        name: String,
    },
}

/// By which a machine is seen and typed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Console {
    /// Display, keyboard and pointer, by RFB without authentication: whoever connects has proved who he is before.
    Screen,
    /// The first serial line. All who have it open see and type on the same.
    Serial,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    ConsoleLog {
        text: String,
    },
    /// The console is there, and connects by its ticket.
    Opened,
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
