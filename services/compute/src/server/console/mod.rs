// SPDX-License-Identifier: Apache-2.0
//! Consoles of a server: what it wrote to its serial line, and its screen and that line to look and type at.
//!
//! ```text
//!   POST remote-consoles ──▶ a word in a url ──▶ GET /console?token=word ──▶ websocket ══ node ══ QEMU
//!        (policy)              (once, soon)       (origin, word, token, policy)
//! ```
//! The word is good for one opening. With it its bearer's token comes to light again, which must be good still, when the console is
//! opened and for as long as it is open ([decision 21](../../../../../docs/decisions/0021-consoles.md)).

mod api;
mod door;
mod output;
mod session;
mod table;
mod websocket;
mod word;

use ::api::{Access, Routes};
use contracts::node;

pub(super) use api::{auth_token, create, get_serial, get_unavailable, get_vnc};
pub(super) use output::output;
pub(super) use table::{STEP, forget};

use super::policy;
use crate::Compute;

/// What can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Console {
    Screen,
    Serial,
}

impl Console {
    fn word(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Serial => "serial",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Screen, Self::Serial].into_iter().find(|console| console.word() == word)
    }

    fn of_node(self) -> node::Console {
        match self {
            Self::Screen => node::Console::Screen,
            Self::Serial => node::Console::Serial,
        }
    }
}

/// Beside the API: where clients open what they were given a word for. The word is all that they bring.
pub(crate) fn door() -> Routes<Compute> {
    Routes::new().get("/", Access::Public, door::enter).asking(&[&policy::REMOTE_CONSOLES])
}
