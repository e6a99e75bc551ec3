// SPDX-License-Identifier: Apache-2.0
//! What becomes of a volume, and the words that clients read for it.
//!
//! ```text
//!            a node is chosen        it says that all is there
//!  Planned ───────────────────▶ Making ───────────────────▶ There ◀──▶ Missing
//!     │  no node has room         │ it cannot be made          its node does not have it any more, or again
//!     └──────────▶ Failed ◀───────┘
//! ```
//! Whatever else a volume is in the API's words follows from what is wanted of it and what was found: that it is being deleted
//! (`deleting_at`), grows (`wanted_size` above `size`), is copied to an image (`copy`), is somebody's (the furthest stage of
//! its attachments), or is offered (`transfer_id`). None of these words is kept to be believed: they are worked out anew at
//! each change.

use serde::{Deserialize, Serialize};

use super::Volume;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Life {
    /// No node has been chosen.
    Planned,
    /// Its node was told of it, or will be.
    Making,
    There,
    /// It cannot be made.
    Failed,
    /// It was there, and its node does not have it.
    Missing,
}

/// How far an attachment has come; of several that of a volume is the furthest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Reserved,
    Attaching,
    Attached,
    Detaching,
}

/// A word that is kept in a column.
macro_rules! words {
    ($kind:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $kind {
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(crate) fn read(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(Life: Planned = "planned", Making = "making", There = "there", Failed = "failed", Missing = "missing");
words!(Stage: Reserved = "reserved", Attaching = "attaching", Attached = "attached", Detaching = "detaching");

impl Volume {
    /// The word of the API.
    pub(crate) fn word(&self) -> String {
        if self.deleting_at.is_some() {
            return "deleting".to_owned();
        }
        if let Some(forced) = &self.forced_status {
            return forced.clone();
        }
        self.derived().to_owned()
    }

    fn derived(&self) -> &'static str {
        match self.life {
            Life::Planned => "creating",
            Life::Making if self.step.as_deref() == Some("image") => "downloading",
            Life::Making => "creating",
            Life::Failed | Life::Missing => "error",
            Life::There if self.wanted_size > self.size => "extending",
            Life::There if self.copy.is_some() => "uploading",
            Life::There => match self.attach {
                Some(Stage::Detaching) => "detaching",
                Some(Stage::Attached) => "in-use",
                Some(Stage::Attaching) => "attaching",
                Some(Stage::Reserved) => "reserved",
                None if self.transfer_id.is_some() => "awaiting-transfer",
                None => "available",
            },
        }
    }

    /// Whether somebody has to bring it further, or something of it is waited for.
    pub(crate) fn is_under_way(&self) -> bool {
        let is_made = matches!(self.life, Life::There | Life::Failed | Life::Missing);
        self.deleting_at.is_some()
            || !is_made
            || (self.life == Life::There && self.wanted_size > self.size)
            || self.copy.is_some()
            || !self.door_is_as_wanted()
    }

    /// Whether whoever may open it is the one who shall.
    pub(crate) fn door_is_as_wanted(&self) -> bool {
        match (&self.door_node, &self.door_found) {
            (None, None) => true,
            (Some(wanted), Some(found)) => {
                found.node == *wanted && matches!(found.state, contracts::node::DoorState::Open { .. })
            }
            _ => false,
        }
    }
}
