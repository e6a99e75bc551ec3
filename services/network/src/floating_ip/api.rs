// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/floatingips`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Cx, Fault, Reply, Routes, no_content};
use http::StatusCode;

use super::{
    Row, STATUS, View,
    store::{self, Create, Goal, Update},
};
use crate::{
    Error, Room,
    input::{self, Input, LONGEST, READ_ONLY},
    listing::{self, Attribute, Listing, number, text},
    network, port,
    who::Doer,
};

pub static GET: Policy = Policy::new("get_floatingip", "rule:project_reader_or_admin", "See floating IPs");
pub static CREATE: Policy = Policy::new("create_floatingip", "rule:project_member_or_admin", "Make a floating IP");
pub static CREATE_ADDRESS: Policy =
    Policy::new("create_floatingip:floating_ip_address", "rule:project_manager_or_admin", "Choose the address of a floating IP");
pub static UPDATE: Policy = Policy::new("update_floatingip", "rule:project_member_or_admin", "Lead a floating IP elsewhere");
pub static DELETE: Policy = Policy::new("delete_floatingip", "rule:project_member_or_admin", "Give a floating IP back");

pub fn routes(room: &Arc<Room>) -> Routes<Room> {
    Routes::new(room.clone())
        .get("/v2.0/floatingips", &GET, list)
        .post("/v2.0/floatingips", &CREATE, create)
        .get("/v2.0/floatingips/{id}", &GET, show)
        .put("/v2.0/floatingips/{id}", &UPDATE, update)
        .delete("/v2.0/floatingips/{id}", &DELETE, delete)
}

static ATTRIBUTES: [Attribute; 12] = [
    text("id", "id"),
    text("project_id", "project_id"),
    text("description", "description"),
    text("floating_network_id", "floating_network_id"),
    text("floating_ip_address", "floating_ip_address"),
    text("port_id", "port_id"),
    text("fixed_ip_address", "fixed_ip_address"),
    text("router_id", "router_id"),
    text("status", STATUS),
    number("created_at", "created_at"),
    number("updated_at", "updated_at"),
    number("revision_number", "generation"),
];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    let scope = cx.allowed()?.clone();
    let listing = Listing::read(&cx, &ATTRIBUTES, &[])?;
    let (listing, found) = room.list(move |tx| store::page(tx, &scope, &listing).map(|found| (listing.clone(), found))).await?;
    let views: Vec<View> = found.into_iter().map(View::new).collect();
    listing.answer(&cx, "floatingips", &views, |view| view.id.as_str())
}

async fn create(room: Arc<Room>, mut cx: Cx) -> Reply {
    let input = input::document(&mut cx, "floatingip").await?;
    let ask = read_create(&room, &cx, input).await?;
    let proof = cx.check(&CREATE, &Target::in_project(&ask.project_id))?;
    let (doer, settings) = (Doer::of(&cx)?, room.settings.clone());
    let found = room.write(move |tx| store::create(tx, &doer, &proof, &settings, &ask)).await?;
    listing::one(&cx, StatusCode::CREATED, "floatingip", &View::new(found))
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let found = room
        .read(move |tx| {
            let row = store::find(tx, &scope, &id)?;
            Ok(store::found(tx, vec![row])?.remove(0))
        })
        .await?;
    listing::one(&cx, StatusCode::OK, "floatingip", &View::new(found))
}

async fn update(room: Arc<Room>, mut cx: Cx) -> Reply {
    visible(&room, &cx, cx.param("id")).await?;
    let input = input::document(&mut cx, "floatingip").await?;
    let ask = read_update(&room, &cx, input).await?;
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let (doer, revision) = (Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    let found = room.write(move |tx| store::update(tx, &doer, &scope, &id, revision, &ask)).await?;
    listing::one(&cx, StatusCode::OK, "floatingip", &View::new(found))
}

async fn delete(room: Arc<Room>, cx: Cx) -> Reply {
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let (doer, revision) = (Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    room.write(move |tx| store::delete(tx, &doer, &scope, &id, revision)).await?;
    no_content()
}

/// The floating IP, if the caller may see it at all; else it does not exist for him.
pub async fn visible(room: &Arc<Room>, cx: &Cx, id: &str) -> Result<Row, Fault> {
    let (scope, id) = (cx.scope(&GET)?, id.to_owned());
    room.read(move |tx| store::find(tx, &scope, &id)).await
}

async fn read_create(room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<Create, Fault> {
    input.fixed(&READ_ONLY)?;
    let project_id = input.owner(cx)?;
    let network = network::api::visible(room, cx, &input.required_text("floating_network_id")?).await?;
    let address = input.address("floating_ip_address")?.flatten();
    if address.is_some() {
        cx.check(&CREATE_ADDRESS, &Target::in_project(&project_id))?;
    }
    let ask = Create {
        project_id,
        network_id: network.id,
        description: input.text("description", LONGEST)?.unwrap_or_default(),
        address,
        subnet_id: input.optional_text("subnet_id", LONGEST)?.flatten().map(Into::into),
        goal: read_goal(room, cx, &mut input).await?.flatten(),
    };
    refuse_names(&mut input)?;
    input.finish()?;
    Ok(ask)
}

async fn read_update(room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<Update, Fault> {
    input.fixed(&READ_ONLY)?;
    input.fixed(&["project_id", "tenant_id", "floating_network_id", "floating_ip_address", "router_id"])?;
    let ask = Update { description: input.text("description", LONGEST)?, goal: read_goal(room, cx, &mut input).await? };
    refuse_names(&mut input)?;
    input.finish()?;
    Ok(ask)
}

async fn read_goal(room: &Arc<Room>, cx: &Cx, input: &mut Input) -> Result<Option<Option<Goal>>, Fault> {
    let fixed_ip = input.address("fixed_ip_address")?.flatten();
    match (input.optional_text("port_id", LONGEST)?, fixed_ip) {
        (None | Some(None), Some(_)) => {
            Err(Error::bad("Bad floatingip request: fixed_ip_address cannot be specified without a port_id.").into())
        }
        (None, None) => Ok(None),
        (Some(None), None) => Ok(Some(None)),
        (Some(Some(id)), fixed_ip) => {
            let (port, _) = port::api::visible(room, cx, &id).await?;
            Ok(Some(Some(Goal { port: port.id, fixed_ip })))
        }
    }
}

/// Names of floating IPs would be published by a DNS service, and there is none.
fn refuse_names(input: &mut Input) -> crate::Result<()> {
    for name in ["dns_name", "dns_domain"] {
        if input.text(name, LONGEST)?.is_some_and(|text| !text.is_empty()) {
            return Err(input::bad(name, "no DNS service publishes names in this cloud"));
        }
    }
    input
        .take("qos_policy_id")
        .filter(|value| !value.is_null())
        .map_or(Ok(()), |_| Err(Error::bad("Unrecognized attribute(s) 'qos_policy_id'")))
}
