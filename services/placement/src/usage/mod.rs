// SPDX-License-Identifier: Apache-2.0
//! Usages: sums over allocations. `/resource_providers/{uuid}/usages` and `/usages`

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply, Routes, json};
use contracts::placement::Resources;
use http::StatusCode;
use serde_json::json;
use types::{Microversion, ProjectId};

use crate::{Placement, allocation, error::Error, inventory, policy::ADMIN, provider};

access::policies! {
    PROVIDER_USAGES = "placement:resource_providers:usages", ADMIN, "Show how much of a provider is used";
    USAGES = "placement:usages", "rule:admin_or_service_api or (role:reader and project_id:%(project_id)s)", "Show the usage of a project";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("usage", routes);

pub fn routes() -> Routes<Placement> {
    Routes::new()
        .get("/resource_providers/{uuid}/usages", &PROVIDER_USAGES, of_provider)
        .get("/usages", &USAGES, of_project)
        .since(Microversion::new(1, 9))
}

async fn of_provider(room: Arc<Placement>, cx: Cx) -> Reply {
    let id = cx.param("uuid").to_owned();
    let read = room.store.read(move |tx| {
        let provider = provider::table::get(tx, &id)?;
        let used = inventory::table::used_of(tx, &id)?;
        let classes = inventory::table::of_provider(tx, &id)?.into_keys();
        let usages: Resources = classes.map(|class| (class.clone(), *used.get(&class).unwrap_or(&0))).collect();
        Ok::<_, Error>((provider.generation, usages))
    });
    let (generation, usages) = read.await?;
    json(StatusCode::OK, &json!({"resource_provider_generation": generation, "usages": usages}))
}

async fn of_project(room: Arc<Placement>, cx: Cx) -> Reply {
    let project =
        cx.query().get("project_id").ok_or_else(|| Fault::bad_request("'project_id' is a required parameter"))?.to_owned();
    if !cx.allowed()?.scope().admits(&ProjectId::new(project.as_str()), None) {
        return Err(Fault::forbidden("Usages are told of your own project only."));
    }
    let user = cx.query().get("user_id").map(str::to_owned);
    let usages = room.store.list(move |tx| allocation::table::usage_of(tx, &project, user.as_deref())).await?;
    if cx.version >= Microversion::new(1, 38) {
        let all: BTreeMap<&str, &Resources> = [("all", &usages)].into();
        return json(StatusCode::OK, &json!({"usages": all}));
    }
    json(StatusCode::OK, &json!({"usages": usages}))
}
