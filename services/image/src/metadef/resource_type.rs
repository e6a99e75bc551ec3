// SPDX-License-Identifier: Apache-2.0
//! `/v2/metadefs/resource_types` and `/v2/metadefs/namespaces/{namespace}/resource_types`

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, created, json, no_content};
use http::StatusCode;
use serde_json::json;

use super::{association_view, namespace::NewAssociation, table, viewer::viewer};
use crate::{Error, Image, image::check_text, metadef::policy};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/metadefs/resource_types", &policy::GET, list)
        .get("/v2/metadefs/namespaces/{namespace}/resource_types", Access::Asks(&policy::GET), list_of_namespace)
        .post("/v2/metadefs/namespaces/{namespace}/resource_types", Access::Asks(&policy::MODIFY), associate)
        .delete("/v2/metadefs/namespaces/{namespace}/resource_types/{name}", Access::Asks(&policy::MODIFY), dissociate)
}

async fn list(room: Arc<Image>, _: Cx) -> Reply {
    let found = room.store.list(table::resource_types).await?;
    let view = |(name, since): &(String, types::Timestamp)| json!({"name": name, "created_at": since.zulu(), "updated_at": since.zulu()});
    json(
        StatusCode::OK,
        &json!({"resource_types": found.iter().map(view).collect::<Vec<_>>(), "schema": "/v2/schemas/metadefs/resource_types"}),
    )
}

async fn list_of_namespace(room: Arc<Image>, cx: Cx) -> Reply {
    let (viewer, name) = (viewer(&cx, &policy::GET)?, cx.param("namespace").to_owned());
    let read = room.store.list(move |tx| {
        let found = table::get(tx, &viewer, &name)?;
        table::associations(tx, &[&found.name])
    });
    let views: Vec<_> = read.await?.iter().map(association_view).collect();
    json(StatusCode::OK, &json!({"resource_type_associations": views}))
}

async fn associate(room: Arc<Image>, mut cx: Cx) -> Reply {
    let new: NewAssociation = cx.json().await?;
    if new.name.is_empty() {
        return Err(Fault::bad_request("A resource type has a name."));
    }
    for text in [Some(&new.name), new.prefix.as_ref(), new.properties_target.as_ref()].into_iter().flatten() {
        check_text("a resource type", text)?;
    }
    let (viewer, name) = (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned());
    let (association, actor) = (new.of(&name), cx.actor());
    let kept = association.clone();
    let write = room.store.write(move |tx| {
        table::get(tx, &viewer, &name)?;
        table::changing(tx, &actor, &name, |tx| table::associate(tx, &kept))
    });
    write.await?;
    created(&association_view(&association))
}

async fn dissociate(room: Arc<Image>, cx: Cx) -> Reply {
    let (viewer, name, kind, actor) =
        (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.param("name").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        let found = table::get_unprotected(tx, &viewer, &name)?;
        if table::changing(tx, &actor, &found.name, |tx| table::dissociate(tx, &found.name, &kind))? {
            return Ok(());
        }
        Err(Error::NoSuch(format!("The namespace {name} is not associated with the resource type {kind}.")))
    });
    write.await?;
    no_content()
}
