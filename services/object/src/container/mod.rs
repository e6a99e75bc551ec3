// SPDX-License-Identifier: Apache-2.0
//! A container: a flat list of objects by name, and what its owner says of others.

mod api;
pub mod remove;
pub mod table;

use serde::Serialize;
use types::{ProjectId, Timestamp};

use crate::{Error, grant::Acl, history::History, metadata::Metadata};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("container", api::routes);

#[derive(Debug, Clone, Serialize)]
pub struct Container {
    pub id: String,
    pub project: ProjectId,
    pub name: String,
    pub metadata: Metadata,
    #[serde(serialize_with = "acl")]
    pub read_acl: Acl,
    #[serde(serialize_with = "acl")]
    pub write_acl: Acl,
    /// Where what was replaced or removed in it goes, if anywhere.
    pub history: Option<History>,
    #[serde(skip)]
    pub objects: u64,
    #[serde(skip)]
    pub bytes: u64,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

fn acl<S: serde::Serializer>(acl: &Acl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(acl.as_str())
}

/// How much more may come into a container: its owner's own bounds.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    pub bytes: Option<u64>,
    pub objects: Option<u64>,
}

impl Container {
    pub fn quota(&self) -> Quota {
        let number = |name| self.metadata.get(name).and_then(|text| text.parse().ok());
        Quota { bytes: number("quota-bytes"), objects: number("quota-count") }
    }

    /// Refuses bounds that are none.
    pub fn check_quota(&self) -> Result<(), Error> {
        for (name, what) in [("quota-bytes", "bytes"), ("quota-count", "count")] {
            if self.metadata.get(name).is_some_and(|text| text.parse::<u64>().is_err()) {
                return Err(Error::Invalid(format!("Invalid {what} quota.")));
            }
        }
        Ok(())
    }

    /// For the stream of events.
    fn told(&self) -> Self {
        Self { metadata: self.metadata.without_secrets(), ..self.clone() }
    }
}
