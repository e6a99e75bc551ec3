// SPDX-License-Identifier: Apache-2.0
//! Flavors: the sizes in which servers come. The operator makes them; ids are as he gave them. A server keeps a copy
//! of its flavor, so that a flavor can be deleted while servers of it run.

mod access;
mod api;
mod extra_specs;
pub(crate) mod policy;
mod seed;
pub(crate) mod table;
mod viewer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{FlavorId, Timestamp};

pub(crate) use api::routes;
pub(crate) use seed::STANDARD;
pub(crate) use viewer::viewer;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("flavor", routes).shows(&[("flavor", &[api::BRIEF, api::WHOLE])]);

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Flavor {
    pub id: FlavorId,
    pub is_public: bool,
    /// Thousandths of the factor.
    pub rxtx_milli: i64,
    pub description: Option<String>,
    pub created_at: Timestamp,
    pub size: Size,
}

/// What a server keeps of its flavor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Size {
    pub name: String,
    pub vcpus: u32,
    pub memory_mb: u64,
    pub disk_gb: u64,
    pub ephemeral_gb: u64,
    pub swap_mb: u64,
    pub extra_specs: BTreeMap<String, String>,
}
