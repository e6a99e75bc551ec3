// SPDX-License-Identifier: Apache-2.0
//! `/resource_providers`

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes, empty, json, no_content};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use types::Microversion;
use uuid::Uuid;

use super::table::{self, Provider};
use crate::{Placement, candidate::Request, error::Error, inventory, provider::policy};

pub fn routes() -> Routes<Placement> {
    Routes::new()
        .get("/resource_providers", &policy::LIST, list)
        .post("/resource_providers", &policy::CREATE, create)
        .get("/resource_providers/{uuid}", &policy::SHOW, show)
        .put("/resource_providers/{uuid}", &policy::UPDATE, update)
        .delete("/resource_providers/{uuid}", &policy::DELETE, delete)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    name: String,
    uuid: Option<Uuid>,
    parent_provider_uuid: Option<Uuid>,
}

async fn list(room: Arc<Placement>, cx: Cx) -> Reply {
    let name = cx.query().get("name").map(str::to_owned);
    let id = cx.query().get("uuid").map(str::to_owned);
    let request = cx.query().get("resources").map(|_| Request::read(cx.query())).transpose()?;
    let fitting = match request {
        None => None,
        Some(request) => {
            let state = room.store.list(inventory::table::capacities).await?;
            Some(
                state
                    .into_iter()
                    .filter(|capacity| request.fits(capacity).is_ok())
                    .map(|capacity| capacity.provider)
                    .collect::<Vec<_>>(),
            )
        }
    };
    let providers = room.store.list(table::list).await?;
    let wanted = |provider: &&Provider| {
        name.as_deref().is_none_or(|name| provider.name == name)
            && id.as_deref().is_none_or(|id| provider.id.as_str() == id)
            && fitting.as_ref().is_none_or(|fitting| fitting.contains(&provider.id))
    };
    let views: Vec<Value> = providers.iter().filter(wanted).map(|provider| view(&cx, provider)).collect();
    json(StatusCode::OK, &json!({"resource_providers": views}))
}

async fn create(room: Arc<Placement>, mut cx: Cx) -> Reply {
    let ask: Ask = cx.json().await?;
    let name = check_name(ask.name)?;
    if ask.parent_provider_uuid.is_some() {
        return Err(Fault::bad_request("Nested resource providers are not supported: every provider here is a root."));
    }
    let id = ask.uuid.unwrap_or_else(Uuid::new_v4).to_string();
    let actor = cx.actor();
    let provider = room.store.write(move |tx| table::insert(tx, &actor, &id, &name)).await?;
    let location = HeaderValue::from_str(&cx.url(&format!("/resource_providers/{}", provider.id)));
    let location = location.map_err(|_| Fault::internal("a location is not a header"))?;
    // From 1.20 on the answer carries the provider.
    let mut response = if cx.version >= Microversion::new(1, 20) {
        json(StatusCode::OK, &view(&cx, &provider))?
    } else {
        empty(StatusCode::CREATED)
    };
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn show(room: Arc<Placement>, cx: Cx) -> Reply {
    let id = cx.param("uuid").to_owned();
    let provider = room.store.read(move |tx| table::get(tx, &id)).await?;
    json(StatusCode::OK, &view(&cx, &provider))
}

async fn update(room: Arc<Placement>, mut cx: Cx) -> Reply {
    let ask: Ask = cx.json().await?;
    let name = check_name(ask.name)?;
    let (id, actor) = (cx.param("uuid").to_owned(), cx.actor());
    let provider = room.store.write(move |tx| {
        table::get(tx, &id)?;
        table::rename(tx, &actor, &id, &name)
    });
    json(StatusCode::OK, &view(&cx, &provider.await?))
}

async fn delete(room: Arc<Placement>, cx: Cx) -> Reply {
    let (id, actor) = (cx.param("uuid").to_owned(), cx.actor());
    room.store.write(move |tx| table::delete(tx, &actor, &id)).await?;
    no_content()
}

fn check_name(name: String) -> Result<String, Error> {
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::Invalid("JSON does not validate: a name has 1 to 200 characters".into()));
    }
    Ok(name)
}

fn view(cx: &Cx, provider: &Provider) -> Value {
    let link = |rest: &str| format!("/placement/resource_providers/{}{rest}", provider.id);
    let version = |minor| cx.version >= Microversion::new(1, minor);
    let mut links = vec![json!({"rel": "self", "href": link("")}), json!({"rel": "inventories", "href": link("/inventories")})];
    links.push(json!({"rel": "usages", "href": link("/usages")}));
    if version(6) {
        links.push(json!({"rel": "traits", "href": link("/traits")}));
    }
    if version(11) {
        links.push(json!({"rel": "allocations", "href": link("/allocations")}));
    }
    let mut view = json!({"uuid": provider.id, "name": provider.name, "generation": provider.generation, "links": links});
    if version(14) {
        view["root_provider_uuid"] = json!(provider.id);
        view["parent_provider_uuid"] = Value::Null;
    }
    view
}
