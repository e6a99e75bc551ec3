// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/address-groups`.

use std::sync::Arc;

use access::{Allowed, Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use ipnet::IpNet;
use store::Tx;

use super::{
    Row, View,
    table::{self, Create, Update},
};
use crate::{
    Result, Room,
    input::{Input, LONGEST, READ_ONLY, bad, read_prefix},
    listing::{self, Attribute, number, text},
    resource::{self, Kept, Served, Shown},
    who::Doer,
};

pub static GET: Policy = Policy::new("get_address_group", "rule:project_reader_or_admin", "See address groups");
pub static CREATE: Policy = Policy::new("create_address_group", "rule:project_member_or_admin", "Make an address group");
pub static UPDATE: Policy =
    Policy::new("update_address_group", "rule:project_member_or_admin", "Change an address group, and what is in it");
pub static DELETE: Policy = Policy::new("delete_address_group", "rule:project_member_or_admin", "Delete an address group");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/address-groups", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/address-groups", &CREATE, resource::create::<Row>)
        .get("/v2.0/address-groups/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/address-groups/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .delete("/v2.0/address-groups/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .put("/v2.0/address-groups/{id}/add_addresses", Access::Asks(&UPDATE), add_addresses)
        .put("/v2.0/address-groups/{id}/remove_addresses", Access::Asks(&UPDATE), remove_addresses)
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 7] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation").sorts_only(),
];

impl Shown for Row {
    const ONE: &'static str = "address_group";
    const MANY: &'static str = "address_groups";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;
    // They have no tags.
    const FILTERS: &'static [&'static str] = &[];

    type View = View;

    fn view(_room: &Room, _cx: &Cx, found: Self) -> View {
        View::new(found)
    }
}

impl Served for Row {
    const CREATE: &'static Policy = &CREATE;
    const UPDATE: &'static Policy = &UPDATE;
    const DELETE: &'static Policy = &DELETE;

    async fn read_create(_room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<(Create, Target), Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["shared"])?;
        let project_id = input.owner(cx)?;
        let (name, description) = input.labels()?;
        input.null_is_empty("addresses");
        let ask = Create {
            project_id,
            name: name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            addresses: read_addresses(&mut input)?,
        };
        input.finish()?;
        let target = Target::in_project(&ask.project_id);
        Ok((ask, target))
    }

    async fn read_update(&self, _room: &Arc<Room>, _cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "addresses", "shared"])?;
        let (name, description) = input.labels()?;
        input.finish()?;
        Ok(Update { name, description })
    }
}

async fn add_addresses(room: Arc<Room>, cx: Cx) -> Reply {
    change(room, cx, table::add).await
}

async fn remove_addresses(room: Arc<Room>, cx: Cx) -> Reply {
    change(room, cx, table::remove).await
}

type Change = fn(&mut Tx, &Doer, &Allowed<Row>, &[IpNet]) -> Result<Row>;

async fn change(room: Arc<Room>, mut cx: Cx, change: Change) -> Reply {
    let (row, target) = resource::visible::<Row>(&room, &cx, cx.param("id")).await?;
    let doer = Doer::of(&cx)?;
    let allowed = cx.allow(&UPDATE, &target, row.id)?;
    let mut input = Input::new(cx.json().await?);
    let addresses = read_addresses(&mut input)?;
    input.finish()?;
    let revision = listing::demanded_revision(&cx)?;
    let changed = room.write(move |tx| {
        let row = allowed.try_of(|id| Row::get(tx, id))?;
        listing::check_revision(revision, row.thing().generation())?;
        change(tx, &doer, &row, &addresses)
    });
    listing::one(&cx, StatusCode::OK, Row::ONE, &View::new(changed.await?))
}

/// Prefixes; a lone address is one, and host bits are dropped, as Neutron has it.
fn read_addresses(input: &mut Input) -> Result<Vec<IpNet>> {
    let Some(items) = input.list("addresses")? else { return Ok(Vec::new()) };
    let read = |item: &serde_json::Value| {
        let text = item.as_str().filter(|text| text.len() <= LONGEST);
        let prefix = text.and_then(read_prefix).ok_or_else(|| bad("addresses", format!("'{item}' is not a valid IP subnet")));
        prefix.map(|prefix| prefix.trunc())
    };
    items.iter().map(read).collect()
}
