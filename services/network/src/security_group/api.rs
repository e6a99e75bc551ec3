// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/security-groups`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Cx, Fault, Reply, Routes, no_content};
use http::StatusCode;

use super::{
    Row, View,
    store::{self, Create, Update},
};
use crate::{
    Room,
    input::{self, Input, READ_ONLY},
    listing::{self, Attribute, Listing, flag, number, text},
    who::Doer,
};

pub static GET: Policy = Policy::new("get_security_group", "rule:project_reader_or_admin", "See security groups");
pub static CREATE: Policy = Policy::new("create_security_group", "rule:project_member_or_admin", "Make a security group");
pub static UPDATE: Policy = Policy::new("update_security_group", "rule:project_member_or_admin", "Change a security group");
pub static DELETE: Policy = Policy::new("delete_security_group", "rule:project_member_or_admin", "Delete a security group");

pub fn routes(room: &Arc<Room>) -> Routes<Room> {
    Routes::new(room.clone())
        .get("/v2.0/security-groups", &GET, list)
        .post("/v2.0/security-groups", &CREATE, create)
        .get("/v2.0/security-groups/{id}", &GET, show)
        .put("/v2.0/security-groups/{id}", &UPDATE, update)
        .delete("/v2.0/security-groups/{id}", &DELETE, delete)
}

static ATTRIBUTES: [Attribute; 8] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    flag("stateful", "stateful"),
    number("created_at", "created_at"),
    number("updated_at", "updated_at"),
    number("revision_number", "generation"),
];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    ensure_default(&room, &cx).await?;
    let scope = cx.allowed()?.clone();
    let listing = Listing::read(&cx, &ATTRIBUTES, &[])?;
    let (listing, found) = room.list(move |tx| store::page(tx, &scope, &listing).map(|found| (listing.clone(), found))).await?;
    let views: Vec<View> = found.into_iter().map(View::new).collect();
    listing.answer(&cx, "security_groups", &views, |view| view.id.as_str())
}

async fn create(room: Arc<Room>, mut cx: Cx) -> Reply {
    let (inputs, in_bulk) = input::documents(&mut cx, "security_group", "security_groups").await?;
    let doer = Doer::of(&cx)?;
    let mut asks = Vec::with_capacity(inputs.len());
    for input in inputs {
        let ask = read_create(&cx, input)?;
        asks.push((cx.check(&CREATE, &Target::in_project(&ask.project_id))?, ask));
    }
    let settings = room.settings.clone();
    let made = room
        .write(move |tx| {
            asks.iter().map(|(proof, ask)| store::create(tx, &doer, proof, &settings, ask)).collect::<crate::Result<Vec<_>>>()
        })
        .await?;
    let views: Vec<View> = made.into_iter().map(View::new).collect();
    listing::created(&cx, "security_group", "security_groups", &views, in_bulk)
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let found = room
        .read(move |tx| {
            let row = store::find(tx, &scope, &id)?;
            Ok(store::found(tx, vec![row])?.remove(0))
        })
        .await?;
    listing::one(&cx, StatusCode::OK, "security_group", &View::new(found))
}

async fn update(room: Arc<Room>, mut cx: Cx) -> Reply {
    let ask = read_update(input::document(&mut cx, "security_group").await?)?;
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let (doer, revision) = (Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    let found = room.write(move |tx| store::update(tx, &doer, &scope, &id, revision, &ask)).await?;
    listing::one(&cx, StatusCode::OK, "security_group", &View::new(found))
}

async fn delete(room: Arc<Room>, cx: Cx) -> Reply {
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let (doer, revision) = (Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    room.write(move |tx| store::delete(tx, &doer, &scope, &id, revision)).await?;
    no_content()
}

/// The group, if the caller may see it at all; else it does not exist for him.
pub async fn visible(room: &Arc<Room>, cx: &Cx, id: &str) -> Result<Row, Fault> {
    let (scope, id) = (cx.scope(&GET)?, id.to_owned());
    room.read(move |tx| store::find(tx, &scope, &id)).await
}

/// A project finds its default group whenever it looks, also if it never made anything.
pub async fn ensure_default(room: &Arc<Room>, cx: &Cx) -> Result<(), Fault> {
    let Ok(project) = cx.project() else { return Ok(()) };
    let project = project.clone();
    let looked_for = project.clone();
    if room.read(move |tx| store::has_default(tx, &looked_for)).await? {
        return Ok(());
    }
    let (doer, settings) = (Doer::of(cx)?, room.settings.clone());
    room.write(move |tx| store::ensure_default(tx, &doer, &project, &settings)).await
}

fn read_create(cx: &Cx, mut input: Input) -> Result<Create, Fault> {
    input.fixed(&READ_ONLY)?;
    let project_id = input.owner(cx)?;
    let (name, description) = input.labels()?;
    let ask = Create {
        project_id,
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        stateful: input.flag("stateful")?.unwrap_or(true),
    };
    input.finish()?;
    Ok(ask)
}

fn read_update(mut input: Input) -> Result<Update, Fault> {
    input.fixed(&READ_ONLY)?;
    input.fixed(&["project_id", "tenant_id", "security_group_rules"])?;
    let (name, description) = input.labels()?;
    let ask = Update { name, description, stateful: input.flag("stateful")? };
    input.finish()?;
    Ok(ask)
}
