// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/security-group-rules`.

use std::sync::Arc;

use access::Policy;
use api::{Access, Cx, Fault, Reply, Routes, no_content};

use super::{
    Row, View, check,
    table::{self, Create},
};
use crate::{
    Room,
    input::{self, Input, LONGEST},
    listing::{self, Attribute, ethertype, flag, number, prefix, text, word},
    resource::{self, Shown},
    security_group,
    who::Doer,
};

pub static GET: Policy = Policy::new("get_security_group_rule", "rule:project_reader_or_admin", "See rules of security groups");
pub static CREATE: Policy =
    Policy::new("create_security_group_rule", "rule:project_member_or_admin", "Add a rule to a security group");
pub static DELETE: Policy =
    Policy::new("delete_security_group_rule", "rule:project_member_or_admin", "Take a rule out of a security group");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/security-group-rules", Access::Asks(&GET), list)
        .asking(&[&security_group::api::GET])
        .post("/v2.0/security-group-rules", &CREATE, create)
        .get("/v2.0/security-group-rules/{id}", Access::Asks(&GET), resource::show::<Row>)
        .delete("/v2.0/security-group-rules/{id}", Access::Asks(&DELETE), delete)
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 17] = [
    text("id", "id"),
    text("project_id", "project_id"),
    text("security_group_id", "security_group_id"),
    text("description", "description"),
    text("direction", "direction"),
    ethertype("ethertype", "ethertype"),
    word("protocol", "protocol"),
    number("port_range_min", "port_range_min"),
    number("port_range_max", "port_range_max"),
    text("remote_group_id", "remote_group_id"),
    text("remote_address_group_id", "remote_address_group_id"),
    prefix("remote_ip_prefix", "remote_ip_prefix"),
    prefix("normalized_cidr", "normalized_cidr"),
    flag(
        "belongs_to_default_sg",
        "(SELECT g.is_default FROM security_groups g WHERE g.id = security_group_rules.security_group_id)",
    ),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "security_group_rule";
    const MANY: &'static str = "security_group_rules";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;
    // Rules have no tags.
    const FILTERS: &'static [&'static str] = &[];

    type View = View;

    fn view(_room: &Room, _cx: &Cx, found: Self) -> View {
        View::new(found)
    }
}

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    security_group::api::ensure_default(&room, &cx).await?;
    resource::list::<Row>(room, cx).await
}

async fn create(room: Arc<Room>, mut cx: Cx) -> Reply {
    let (inputs, in_bulk) = input::documents(&mut cx, Row::ONE, Row::MANY).await?;
    let asks = inputs.into_iter().map(|input| read_create(&cx, input)).collect::<Result<Vec<_>, Fault>>()?;
    let (scope, doer, settings) = (cx.allowed()?.clone(), Doer::of(&cx)?, room.settings.clone());
    let made = room
        .write(move |tx| {
            asks.iter().map(|ask| table::create(tx, &doer, &settings, &scope, ask)).collect::<crate::Result<Vec<_>>>()
        })
        .await?;
    let views: Vec<View> = made.into_iter().map(View::new).collect();
    listing::created(&cx, Row::ONE, Row::MANY, &views, in_bulk)
}

async fn delete(room: Arc<Room>, cx: Cx) -> Reply {
    let (row, target) = resource::visible::<Row>(&room, &cx, cx.param("id")).await?;
    cx.check(&DELETE, &target)?;
    let (scope, id, doer) = (cx.scope(&DELETE)?, row.id.to_string(), Doer::of(&cx)?);
    room.write(move |tx| table::delete(tx, &doer, &scope, &id)).await?;
    no_content()
}

fn read_create(cx: &Cx, mut input: Input) -> Result<Create, Fault> {
    // A rule belongs to the project of its group, whoever writes it.
    input.owner(cx)?;
    let group = input.required_text("security_group_id")?;
    let ask = Create {
        says: check::read(&mut input, &group)?,
        security_group_id: group.into(),
        description: input.text("description", LONGEST)?.unwrap_or_default(),
    };
    input.finish()?;
    Ok(ask)
}
