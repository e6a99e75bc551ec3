// SPDX-License-Identifier: Apache-2.0
//! QoS specs: notes of the operator that he joins to volume types. Nothing here acts on them, and capabilities say so.

mod api;
pub(crate) mod policy;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;
use types::Timestamp;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("qos", api::routes);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Qos {
    pub id: String,
    pub name: String,
    /// `front-end`, `back-end` or `both`.
    pub consumer: String,
    pub specs: BTreeMap<String, String>,
    pub created_at: Timestamp,
}
