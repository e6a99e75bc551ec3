// SPDX-License-Identifier: Apache-2.0
//! `/types`.

use std::{collections::BTreeMap, sync::Arc};

use access::Target;
use api::{Cx, Fault, Reply, Routes};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use types::Timestamp;

use super::{VolumeType, table};
use crate::{
    BlockStorage,
    error::Result,
    filter,
    input::{Read, document},
    links,
    query::Page,
    versions::at_least,
    volume_type::policy,
};

const TYPES: &str = "/v3/types";
const TYPE: &str = "/v3/types/{id}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(TYPES, &policy::INDEX, list)
        .post(TYPES, &policy::CREATE, create)
        .get(TYPE, &policy::SHOW, show)
        .put(TYPE, &policy::UPDATE, update)
        .delete(TYPE, &policy::DELETE, delete)
        .each_asking(&[&policy::ALL_SPECS, &policy::SPECS, &policy::QOS])
}

/// Extra specs that a tenant may know, by Cinder's list.
const FOR_EVERYBODY: [&str; 3] = ["RESKEY:availability_zones", "multiattach", "replication_enabled"];

pub(super) fn is_for_everybody(key: &str) -> bool {
    FOR_EVERYBODY.contains(&key)
}

impl BlockStorage {
    /// The type that the path names.
    pub(super) async fn kind(&self, cx: &Cx) -> Read<VolumeType> {
        let (allowed, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
        Ok(self.store.read(move |tx| table::get(tx, &allowed, &id)).await?)
    }

    pub(super) async fn change_kind(
        &self,
        cx: &Cx,
        edit: impl Fn(VolumeType) -> Result<VolumeType> + Send + Sync + 'static,
    ) -> Read<VolumeType> {
        let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
        let changed = self.store.write(move |tx| -> Result<_> {
            let before = table::get(tx, &allowed, &id)?;
            let after = edit(before.clone())?;
            table::update(tx, &actor, &before, after)
        });
        Ok(changed.await?)
    }
}

fn view(cx: &Cx, kind: &VolumeType) -> Value {
    let mut view = json!({
        "id": kind.id,
        "name": kind.name,
        "description": kind.description,
        "is_public": kind.is_public,
        "os-volume-type-access:is_public": kind.is_public,
    });
    if cx.may(&policy::ALL_SPECS, &Target::new()) {
        view["extra_specs"] = json!(kind.extra_specs);
    } else if cx
        .caller()
        .is_ok_and(|caller| caller.project_id().is_some_and(|project| cx.may(&policy::SPECS, &Target::in_project(project))))
    {
        let seen: BTreeMap<_, _> = kind.extra_specs.iter().filter(|(key, _)| is_for_everybody(key)).collect();
        view["extra_specs"] = json!(seen);
    }
    // Answers to a change leave it out, as Cinder does.
    if cx.method == Method::GET && cx.may(&policy::QOS, &Target::new()) {
        view["qos_specs_id"] = json!(kind.qos_id);
    }
    view
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let page = Page::read(&cx)?;
    let mut select = table::select();
    let is_admin = cx.allowed()?.scope().is_all();
    let shown = cx.query().get("is_public").unwrap_or_default();
    if is_admin {
        select = match words::flag::oslo(shown) {
            _ if shown.eq_ignore_ascii_case("none") => select,
            Some(false) => select.filter("is_public = ", false),
            _ => select.filter("is_public = ", true),
        };
    } else {
        let project = cx.project()?;
        let own = "is_public = 1 OR id IN (SELECT type_id FROM volume_type_access WHERE project_id = ?)";
        select = select.condition_with(own, vec![project.into()]);
    }
    for (name, value) in cx.query().pairs() {
        select = match name {
            "name" => select.filter("name = ", value),
            "extra_specs" if is_admin || at_least(cx.version, 52) => filter::items(select, "extra_specs", value)?,
            _ => select,
        };
    }
    let column = |key: &str| match key {
        "id" => Some("id"),
        "name" => Some("name"),
        "created_at" => Some("created_at"),
        _ => None,
    };
    let select = page.of(select, column, &[])?;
    let kinds = page.cut(room.store.list(move |tx| table::rows(tx, &select)).await?);
    let views: Vec<Value> = kinds.iter().map(|kind| view(&cx, kind)).collect();
    let mut document = json!({"volume_types": views});
    if let Some(next) = links::next(&cx, &page.paging, kinds.len(), kinds.last().map(|kind| kind.id.as_str())) {
        document["volume_type_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

/// `default` names the type that a volume of the caller's project gets.
async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let kind = match cx.param("id") {
        "default" => {
            let project = cx.project()?.clone();
            room.store.read(move |tx| table::default_of(tx, &project)).await?
        }
        _ => room.kind(&cx).await?,
    };
    api::json(StatusCode::OK, &json!({"volume_type": view(&cx, &kind)}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "volume_type").await?;
    let kind = VolumeType {
        id: uuid::Uuid::new_v4().to_string(),
        name: ask.name("name")?,
        description: ask.label("description")?.flatten(),
        is_public: ask.flag("os-volume-type-access:is_public")?.unwrap_or(true),
        extra_specs: ask.texts("extra_specs")?.unwrap_or_default(),
        qos_id: None,
        created_at: Timestamp::now(),
        updated_at: None,
    };
    ask.finish()?;
    super::extra_specs::check(&kind.extra_specs)?;
    let (made, actor) = (kind.clone(), cx.actor());
    room.store.write(move |tx| table::insert(tx, &actor, &made)).await?;
    api::json(StatusCode::OK, &json!({"volume_type": view(&cx, &kind)}))
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "volume_type").await?;
    let name = ask.label("name")?.flatten();
    let description = ask.label("description")?;
    let is_public = ask.flag("is_public")?;
    ask.finish()?;
    if name.is_none() && description.is_none() && is_public.is_none() {
        return Err(Fault::bad_request("Specify volume type name, description, is_public or a combination thereof."));
    }
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(Fault::bad_request("Volume type name can not be empty."));
    }
    let changed = room.change_kind(&cx, move |mut kind| {
        if let Some(name) = &name {
            kind.name.clone_from(name);
        }
        if let Some(description) = &description {
            kind.description.clone_from(description);
        }
        kind.is_public = is_public.unwrap_or(kind.is_public);
        Ok(kind)
    });
    let kind = changed.await?;
    api::json(StatusCode::OK, &json!({"volume_type": view(&cx, &kind)}))
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let kind = table::get(tx, &allowed, &id)?;
            table::remove(tx, &actor, &kind)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// For whoever shows the name of a type beside its id.
impl BlockStorage {
    pub(crate) async fn type_name(&self, id: &str) -> Result<Option<(String, String)>> {
        let id = id.to_owned();
        let kind = self.store.read(move |tx| table::find(tx, &id)).await?;
        Ok(kind.map(|kind| (kind.id, kind.name)))
    }
}
