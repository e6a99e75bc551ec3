// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/routers`.

use std::sync::Arc;

use access::{Allowed, Policy, Scope, Target};
use api::{Access, Cx, Fault, Reply, Routes, json};
use http::StatusCode;
use serde_json::Value;
use types::ProjectId;

use super::{
    Row, View,
    gateway::GatewayWish,
    interface::{self, Named},
    table::{Create, Found, Update},
};
use crate::{
    Room,
    input::{self, Input, LONGEST, READ_ONLY},
    listing::{self, Attribute, flag, number, text},
    network, port,
    resource::{self, By, Kept, Managed, Served, Shown},
    subnet::{self, Route, check::read_routes},
    tag,
    who::Doer,
};

pub static GET: Policy = Policy::new("get_router", "rule:project_reader_or_admin", "See routers");
pub static CREATE: Policy = Policy::new("create_router", "rule:project_member_or_admin", "Make a router");
pub static UPDATE: Policy = Policy::new("update_router", "rule:project_member_or_admin", "Change a router");
pub static SNAT: Policy = Policy::new(
    "update_router:external_gateway_info:enable_snat",
    "rule:admin_only",
    "Choose whether a router translates senders' addresses",
);
pub static EXTERNAL_FIXED_IPS: Policy = Policy::new(
    "update_router:external_gateway_info:external_fixed_ips",
    "rule:admin_only",
    "Choose the address of a router's gateway",
);
pub static DELETE: Policy = Policy::new("delete_router", "rule:project_member_or_admin", "Delete a router");
pub static ADD_INTERFACE: Policy = Policy::new("add_router_interface", "rule:project_member_or_admin", "Connect a router");
pub static REMOVE_INTERFACE: Policy =
    Policy::new("remove_router_interface", "rule:project_member_or_admin", "Disconnect a router");
pub static INTERFACE_ON: Policy = Policy::new(
    "add_router_interface:network",
    "rule:admin_only or (role:member and project_id:%(network:project_id)s)",
    "Give a router the gateway's place on a network: its owner may",
);

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/routers", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/routers", &CREATE, resource::create::<Row>)
        .asking(&[&network::api::GET, &SNAT, &EXTERNAL_FIXED_IPS])
        .get("/v2.0/routers/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/routers/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .asking(&[&network::api::GET, &SNAT, &EXTERNAL_FIXED_IPS])
        .delete("/v2.0/routers/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .put("/v2.0/routers/{id}/add_router_interface", Access::Asks(&ADD_INTERFACE), add_interface)
        .asking(&[&subnet::api::GET, &INTERFACE_ON])
        .put("/v2.0/routers/{id}/remove_router_interface", Access::Asks(&REMOVE_INTERFACE), remove_interface)
        .asking(&[&INTERFACE_ON])
        .put("/v2.0/routers/{id}/add_extraroutes", Access::Asks(&UPDATE), add_routes)
        .put("/v2.0/routers/{id}/remove_extraroutes", Access::Asks(&UPDATE), remove_routes)
        .join(tag::api::routes::<Row>("/v2.0/routers/{id}/tags", "/v2.0/routers/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 9] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    flag("admin_state_up", "admin_state_up"),
    text("status", "'ACTIVE'").sorts_only(),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "router";
    const MANY: &'static str = "routers";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    type View = View;

    fn view(room: &Room, _cx: &Cx, found: Found) -> View {
        View::new(found, &room.settings)
    }
}

impl Served for Row {
    const CREATE: &'static Policy = &CREATE;
    const UPDATE: &'static Policy = &UPDATE;
    const DELETE: &'static Policy = &DELETE;

    async fn read_create(room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<(Create, Target), Fault> {
        input.fixed(&READ_ONLY)?;
        let project_id = input.owner(cx)?;
        let (name, description) = input.labels()?;
        refuse_unsupported(&mut input)?;
        let gateway = read_gateway(room, cx, &mut input, &project_id).await?.flatten();
        let ask = Create {
            project_id,
            name: name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            admin_state_up: input.flag("admin_state_up")?.unwrap_or(true),
            gateway,
            availability_zone_hints: network::api::read_hints(room, &mut input)?,
        };
        input.finish()?;
        let target = Target::in_project(&ask.project_id);
        Ok((ask, target))
    }

    async fn read_update(&self, room: &Arc<Room>, cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "availability_zone_hints"])?;
        let (name, description) = input.labels()?;
        refuse_unsupported(&mut input)?;
        let ask = Update {
            name,
            description,
            admin_state_up: input.flag("admin_state_up")?,
            gateway: read_gateway(room, cx, &mut input, &self.project_id).await?,
            routes: read_all_routes(&mut input)?,
        };
        input.finish()?;
        Ok(ask)
    }
}

async fn add_interface(room: Arc<Room>, mut cx: Cx) -> Reply {
    let scope = allowed(&room, &cx, &ADD_INTERFACE).await?;
    let named = read_named(&mut cx).await?;
    // What the caller may not see is not there for him, and only a network's owner gives away its gateway's place.
    let target = match (&named.subnet, &named.port) {
        (Some(subnet), None) => Some(resource::visible::<subnet::Row>(&room, &cx, subnet.as_str()).await?.1),
        (None, Some(port)) => {
            resource::visible::<port::Row>(&room, &cx, port.as_str()).await?;
            None
        }
        _ => None,
    };
    if let Some(target) = target {
        cx.check(&INTERFACE_ON, &target)?;
    }
    let (id, doer) = (cx.param("id").to_owned(), Doer::of(&cx)?);
    let connection = room.write(move |tx| interface::add(tx, &doer, &scope, &id, &named)).await?;
    json(StatusCode::OK, &connection)
}

async fn remove_interface(room: Arc<Room>, mut cx: Cx) -> Reply {
    let scope = allowed(&room, &cx, &REMOVE_INTERFACE).await?;
    let named = read_named(&mut cx).await?;
    let (id, doer) = (cx.param("id").to_owned(), Doer::of(&cx)?);
    let connection = room.write(move |tx| interface::remove(tx, &doer, &scope, &id, &named)).await?;
    json(StatusCode::OK, &connection)
}

/// The proof that the caller may do this to the router of the path, which he must see first.
async fn allowed(room: &Arc<Room>, cx: &Cx, policy: &'static Policy) -> Result<Allowed<Scope>, Fault> {
    let (_, target) = resource::visible::<Row>(room, cx, cx.param("id")).await?;
    cx.check(policy, &target)?;
    cx.scope(policy)
}

async fn add_routes(room: Arc<Room>, cx: Cx) -> Reply {
    edit_routes(room, cx, |mut routes, named| {
        let new: Vec<Route> = named.iter().filter(|route| !routes.contains(route)).cloned().collect();
        routes.extend(new);
        routes
    })
    .await
}

async fn remove_routes(room: Arc<Room>, cx: Cx) -> Reply {
    edit_routes(room, cx, |mut routes, named| {
        routes.retain(|route| !named.contains(route));
        routes
    })
    .await
}

/// Adds routes to those that are there, or takes some away, whatever else changes them at the same time.
async fn edit_routes(room: Arc<Room>, mut cx: Cx, edit: fn(Vec<Route>, &[Route]) -> Vec<Route>) -> Reply {
    let (row, target) = resource::visible::<Row>(&room, &cx, cx.param("id")).await?;
    let by = By::new(&room, Doer::of(&cx)?);
    let allowed = cx.allow(&UPDATE, &target, row.id)?;
    let named = read_extra_routes(&mut cx).await?;
    let found = room.write(move |tx| {
        let row = allowed.try_of(|id| Row::get(tx, id))?;
        let routes = edit(row.thing().routes.clone(), &named);
        Row::update(tx, &by, &row, &Update { routes: Some(routes), ..Update::default() })
    });
    let found = found.await?;
    answer(&room, &cx, found)
}

fn answer(room: &Room, cx: &Cx, found: Found) -> Reply {
    listing::one(cx, StatusCode::OK, "router", &View::new(found, &room.settings))
}

/// Every router of OVN's is spread over the hosts and has its gateway on several; neither can be chosen.
fn refuse_unsupported(input: &mut Input) -> crate::Result<()> {
    for name in ["flavor_id"] {
        if input.optional_text(name, LONGEST)?.flatten().is_some() {
            return Err(input::bad(name, "there are no flavors of routers in this cloud"));
        }
    }
    Ok(())
}

async fn read_gateway(
    room: &Arc<Room>,
    cx: &Cx,
    input: &mut Input,
    owner: &ProjectId,
) -> Result<Option<Option<GatewayWish>>, Fault> {
    const NAME: &str = "external_gateway_info";
    let mut info = match input.take(NAME) {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(None)),
        Some(Value::Object(fields)) if fields.is_empty() => return Ok(Some(None)),
        Some(value) => Input::of(NAME, value)?,
    };
    let network_id = info.uuid("network_id")?.ok_or_else(|| input::bad(NAME, "it lacks its 'network_id'"))?;
    let target = Target::in_project(owner);
    let enable_snat = info.flag("enable_snat")?;
    if enable_snat.is_some() {
        cx.check(&SNAT, &target)?;
    }
    let mut external_fixed_ips = None;
    if let Some(value) = info.take("external_fixed_ips") {
        let mut wrapped = Input::new(serde_json::Map::from_iter([("fixed_ips".to_owned(), value)]));
        // An empty list is no wish.
        external_fixed_ips = port::api::read_fixed_ips(&mut wrapped)?.filter(|wishes| !wishes.is_empty());
        cx.check(&EXTERNAL_FIXED_IPS, &target)?;
    }
    info.finish().map_err(|error| input::bad(NAME, error))?;
    let (network, _) = resource::visible::<network::Row>(room, cx, &network_id).await?;
    Ok(Some(Some(GatewayWish { network_id: network.id, enable_snat, external_fixed_ips })))
}

/// Interfaces are named in a body without a top-level key.
async fn read_named(cx: &mut Cx) -> Result<Named, Fault> {
    let mut input = Input::new(cx.json().await?);
    let named = Named { subnet: input.uuid("subnet_id")?.map(Into::into), port: input.uuid("port_id")?.map(Into::into) };
    input.finish()?;
    Ok(named)
}

fn read_all_routes(input: &mut Input) -> crate::Result<Option<Vec<Route>>> {
    input.null_is_empty("routes");
    read_routes(input, "routes")
}

async fn read_extra_routes(cx: &mut Cx) -> Result<Vec<Route>, Fault> {
    let mut input = input::document(cx, "router").await?;
    let routes = read_all_routes(&mut input)?;
    input.finish()?;
    routes.ok_or_else(|| input::missing("routes").into())
}
