// SPDX-License-Identifier: Apache-2.0
//! Volume types: kinds of volumes, made by the operator. There is one kind of store, so a type is a name with notes, and what
//! quotas count apart.

mod access_list;
mod api;
mod default;
mod encryption;
mod extra_specs;
pub(crate) mod policy;
pub(crate) mod table;

use std::collections::BTreeMap;

use serde::Serialize;
use types::Timestamp;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("volume_type", routes);

fn routes() -> ::api::Routes<crate::BlockStorage> {
    api::routes().join(encryption::routes()).join(extra_specs::routes()).join(access_list::routes()).join(default::routes())
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct VolumeType {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub is_public: bool,
    pub extra_specs: BTreeMap<String, String>,
    pub qos_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
}
