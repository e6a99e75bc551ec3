// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/floatingips`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Routes};

use super::{
    Row, STATUS, View,
    table::{Create, Found, Goal, Update},
};
use crate::{
    Error, Room,
    input::{self, Input, LONGEST, READ_ONLY},
    listing::{Attribute, address, number, text},
    network, port,
    resource::{self, Served, Shown},
    tag,
};

pub static GET: Policy = Policy::new("get_floatingip", "rule:project_reader_or_admin", "See floating IPs");
pub static CREATE: Policy = Policy::new("create_floatingip", "rule:project_member_or_admin", "Make a floating IP");
pub static CREATE_ADDRESS: Policy =
    Policy::new("create_floatingip:floating_ip_address", "rule:project_manager_or_admin", "Choose the address of a floating IP");
pub static UPDATE: Policy = Policy::new("update_floatingip", "rule:project_member_or_admin", "Lead a floating IP elsewhere");
pub static DELETE: Policy = Policy::new("delete_floatingip", "rule:project_member_or_admin", "Give a floating IP back");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/floatingips", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/floatingips", &CREATE, resource::create::<Row>)
        .asking(&[&network::api::GET, &CREATE_ADDRESS])
        .get("/v2.0/floatingips/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/floatingips/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .delete("/v2.0/floatingips/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .join(tag::api::routes::<Row>("/v2.0/floatingips/{id}/tags", "/v2.0/floatingips/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 12] = [
    text("id", "id"),
    text("project_id", "project_id"),
    text("description", "description"),
    text("floating_network_id", "floating_network_id"),
    address("floating_ip_address", "floating_ip_address"),
    text("port_id", "port_id"),
    address("fixed_ip_address", "fixed_ip_address"),
    text("router_id", "router_id"),
    text("status", STATUS),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "floatingip";
    const MANY: &'static str = "floatingips";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    type View = View;

    fn view(_room: &Room, _cx: &Cx, found: Found) -> View {
        View::new(found)
    }
}

impl Served for Row {
    const CREATE: &'static Policy = &CREATE;
    const UPDATE: &'static Policy = &UPDATE;
    const DELETE: &'static Policy = &DELETE;

    async fn read_create(room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<(Create, Target), Fault> {
        input.fixed(&READ_ONLY)?;
        let project_id = input.owner(cx)?;
        let (network, _) = resource::visible::<network::Row>(room, cx, &input.required_uuid("floating_network_id")?).await?;
        let address = input.address("floating_ip_address")?.flatten();
        if address.is_some() {
            cx.check(&CREATE_ADDRESS, &Target::in_project(&project_id))?;
        }
        let ask = Create {
            project_id,
            network_id: network.id,
            description: input.text("description", LONGEST)?.unwrap_or_default(),
            address,
            subnet_id: input.optional_uuid("subnet_id")?.flatten().map(Into::into),
            goal: read_goal(room, cx, &mut input).await?.flatten(),
        };
        refuse_names(&mut input)?;
        input.finish()?;
        let target = Target::in_project(&ask.project_id);
        Ok((ask, target))
    }

    async fn read_update(&self, room: &Arc<Room>, cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "floating_network_id", "floating_ip_address", "router_id"])?;
        let ask = Update { description: input.text("description", LONGEST)?, goal: read_goal(room, cx, &mut input).await? };
        refuse_names(&mut input)?;
        input.finish()?;
        Ok(ask)
    }
}

async fn read_goal(room: &Arc<Room>, cx: &Cx, input: &mut Input) -> Result<Option<Option<Goal>>, Fault> {
    let fixed_ip = input.address("fixed_ip_address")?.flatten();
    match (input.optional_uuid("port_id")?, fixed_ip) {
        (None | Some(None), Some(_)) => {
            Err(Error::bad("Bad floatingip request: fixed_ip_address cannot be specified without a port_id.").into())
        }
        (None, None) => Ok(None),
        (Some(None), None) => Ok(Some(None)),
        (Some(Some(id)), fixed_ip) => {
            let (port, _) = resource::visible::<port::Row>(room, cx, &id).await?;
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
