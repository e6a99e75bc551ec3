// SPDX-License-Identifier: Apache-2.0
//! Group types: the operator's kinds of groups, with specs that say what is asked of one.

mod api;
pub(crate) mod policy;
mod specs;
pub(crate) mod table;

use std::collections::BTreeMap;

use serde::Serialize;
use types::Timestamp;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("group_type", routes);

fn routes() -> ::api::Routes<crate::BlockStorage> {
    api::routes().join(specs::routes())
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GroupType {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub is_public: bool,
    pub specs: BTreeMap<String, String>,
    pub created_at: Timestamp,
}
