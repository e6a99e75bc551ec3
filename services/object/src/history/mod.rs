// SPDX-License-Identifier: Apache-2.0
//! What objects were before. Where a container says so, what is replaced or removed in it goes to another container of the
//! account, under a name that begins with its own and ends with its time. All of it is rows: no byte moves, and what was and
//! what is change in one transaction.
//!
//! Invariant: nothing that was acknowledged in such a container is gone before its owner removes it from the other (test:
//! `what_is_replaced_or_removed_can_be_had_back`).

mod moves;

use http::HeaderMap;
use serde::Serialize;

pub use moves::{keep, remove};

use crate::{Error, metadata::text, place};

/// Swift's two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Whoever removes the object has the one before again.
    Stack,
    /// Whoever removes the object finds it with the others, and a mark after it.
    Journal,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    pub way: Way,
    pub container: String,
}

const WAYS: [(Way, &str, &str); 2] = [
    (Way::Stack, "x-versions-location", "x-remove-versions-location"),
    (Way::Journal, "x-history-location", "x-remove-history-location"),
];

impl History {
    /// As a row has it. A container's name has no slash.
    pub fn kept(&self) -> String {
        let way = if self.way == Way::Stack { "stack" } else { "journal" };
        format!("{way}/{}", self.container)
    }

    pub fn read(kept: &str) -> Option<Self> {
        let (way, container) = kept.split_once('/')?;
        let way = if way == "stack" { Way::Stack } else { Way::Journal };
        Some(Self { way, container: container.to_owned() })
    }

    /// The header that tells of it.
    pub fn header(&self) -> (&'static str, String) {
        let name = if self.way == Way::Stack { WAYS[0].1 } else { WAYS[1].1 };
        (name, place::percent(&self.container))
    }

    /// What is so after a request with these headers.
    pub fn change(before: &mut Option<Self>, headers: &HeaderMap) -> Result<(), Error> {
        let mut said = Vec::new();
        for (way, name, remove) in WAYS {
            let value = text(headers, name)?;
            let is_removed = headers.contains_key(remove) || value.is_some_and(str::is_empty);
            if is_removed && before.as_ref().is_some_and(|before| before.way == way) {
                *before = None;
            }
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                said.push((way, place::name(value)?));
            }
        }
        if said.len() > 1 {
            return Err(Error::invalid("Only one of X-Versions-Location or X-History-Location may be specified"));
        }
        if let Some((way, container)) = said.pop() {
            if container.contains('/') || container.len() > crate::limits::CONTAINER_NAME {
                return Err(Error::Precondition("Old versions go to a container; its name has no slash in it.".to_owned()));
            }
            *before = Some(Self { way, container });
        }
        Ok(())
    }
}
