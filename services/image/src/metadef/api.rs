// SPDX-License-Identifier: Apache-2.0
//! `/v2/metadefs`

use std::sync::Arc;

use api::{Cx, Fault, Routes};

use super::{item, namespace, resource_type, store::Viewer};
use crate::Image;

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    namespace::routes(room.clone()).join(resource_type::routes(room.clone())).join(item::routes(room))
}

/// Whose private namespaces the caller sees: his project's; an administrator sees all.
pub fn viewer(cx: &Cx) -> Result<Viewer, Fault> {
    let caller = cx.caller()?;
    let is_admin = caller.roles.iter().any(|role| role.name == "admin");
    Ok(if is_admin { None } else { Some(caller.project_id().map(ToString::to_string).unwrap_or_default()) })
}
