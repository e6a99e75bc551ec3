// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/networks`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Routes};

use super::{
    Row, View,
    segment::Wish,
    table::{Create, Found, Update},
};
use crate::{
    Room,
    input::{self, Input, LONGEST, READ_ONLY},
    listing::{Attribute, Listing, flag, number, text},
    resource::{self, Served, Shown},
    tag,
};

pub static GET: Policy = Policy::new(
    "get_network",
    "rule:project_reader_or_admin or rule:service_api",
    "See networks: one's own, shared and external ones",
);
pub static GET_PROVIDER: Policy =
    Policy::new("get_network:provider:network_type", "rule:admin_only", "See what carries a network");
pub static CREATE: Policy = Policy::new("create_network", "rule:project_member_or_admin", "Make a network");
pub static CREATE_SHARED: Policy = Policy::new("create_network:shared", "rule:admin_only", "Make a network for all projects");
pub static CREATE_EXTERNAL: Policy = Policy::new("create_network:router:external", "rule:admin_only", "Make an external network");
pub static CREATE_PROVIDER: Policy =
    Policy::new("create_network:provider:network_type", "rule:admin_only", "Choose what carries a network");
pub static UPDATE: Policy = Policy::new("update_network", "rule:project_member_or_admin", "Change a network");
pub static UPDATE_SHARED: Policy = Policy::new("update_network:shared", "rule:admin_only", "Share a network or cease to");
pub static UPDATE_EXTERNAL: Policy =
    Policy::new("update_network:router:external", "rule:admin_only", "Make a network external or cease to");
pub static DELETE: Policy = Policy::new("delete_network", "rule:project_member_or_admin", "Delete a network");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/networks", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/networks", &CREATE, resource::create::<Row>)
        .asking(&[&CREATE_SHARED, &CREATE_EXTERNAL, &CREATE_PROVIDER])
        .get("/v2.0/networks/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/networks/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .asking(&[&UPDATE_SHARED, &UPDATE_EXTERNAL, &CREATE_PROVIDER])
        .delete("/v2.0/networks/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .join(tag::api::routes::<Row>("/v2.0/networks/{id}/tags", "/v2.0/networks/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
        .each_asking(&[&GET_PROVIDER])
}

static ATTRIBUTES: [Attribute; 18] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    flag("admin_state_up", "admin_state_up"),
    flag("shared", "shared"),
    flag("router:external", "external"),
    flag("is_default", "is_default"),
    flag("port_security_enabled", "port_security_enabled").sorts_only(),
    number("mtu", "mtu"),
    text("status", "'ACTIVE'"),
    text("provider:network_type", "network_type"),
    text("provider:physical_network", "physical_network"),
    number("provider:segmentation_id", "segmentation_id"),
    text("dns_domain", "dns_domain").sorts_only(),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "network";
    const MANY: &'static str = "networks";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    type View = View;

    /// Who may not see an attribute learns nothing by filtering on it.
    fn listing(cx: &Cx) -> Result<Option<Listing>, Fault> {
        if !sees_provider(cx) && cx.query().pairs().any(|(key, _)| key.starts_with("provider:")) {
            return Ok(None);
        }
        Listing::read(cx, Self::ATTRIBUTES, Self::FILTERS).map(Some)
    }

    fn view(room: &Room, cx: &Cx, found: Found) -> View {
        let view = View::new(found, &room.settings);
        if sees_provider(cx) { view } else { view.without_provider() }
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
        let (shared, external) = (input.flag("shared")?, input.flag("router:external")?);
        let is_default = input.flag("is_default")?;
        let segment = read_segment(&mut input)?;
        let target = Target::in_project(&project_id);
        if shared == Some(true) {
            cx.check(&CREATE_SHARED, &target)?;
        }
        if external == Some(true) || is_default == Some(true) {
            cx.check(&CREATE_EXTERNAL, &target)?;
        }
        if !segment.is_empty() {
            cx.check(&CREATE_PROVIDER, &target)?;
            segment.check(&room.physical_networks())?;
        }
        let ask = Create {
            project_id,
            name: name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            admin_state_up: input.flag("admin_state_up")?.unwrap_or(true),
            shared: shared.unwrap_or(false),
            external: external.unwrap_or(false),
            is_default: is_default.unwrap_or(false),
            port_security_enabled: input.flag("port_security_enabled")?.unwrap_or(true),
            mtu: read_mtu(&mut input)?,
            segment,
            availability_zone_hints: read_hints(room, &mut input)?,
            dns_domain: input.text("dns_domain", LONGEST)?.unwrap_or_default(),
        };
        input.finish()?;
        Ok((ask, target))
    }

    async fn read_update(&self, room: &Arc<Room>, cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "availability_zone_hints"])?;
        let (name, description) = input.labels()?;
        let ask = Update {
            name,
            description,
            admin_state_up: input.flag("admin_state_up")?,
            shared: input.flag("shared")?,
            external: input.flag("router:external")?,
            is_default: input.flag("is_default")?,
            port_security_enabled: input.flag("port_security_enabled")?,
            mtu: read_mtu(&mut input)?,
            dns_domain: input.text("dns_domain", LONGEST)?,
        };
        let target = Target::in_project(&self.project_id);
        if ask.shared.is_some_and(|shared| shared != self.shared) {
            cx.check(&UPDATE_SHARED, &target)?;
        }
        let external_changes = ask.external.is_some_and(|external| external != self.external);
        if external_changes || ask.is_default.is_some_and(|is_default| is_default != self.is_default) {
            cx.check(&UPDATE_EXTERNAL, &target)?;
        }
        let segment = read_segment(&mut input)?;
        if !segment.is_empty() {
            cx.check(&CREATE_PROVIDER, &target)?;
            segment.check(&room.physical_networks())?;
            return Err(crate::Error::invalid("a network keeps its provider attributes; make another network instead").into());
        }
        input.finish()?;
        Ok(ask)
    }
}

/// What a rule may ask about a network's owner when the thing in question lies on the network.
pub fn with_owner(target: Target, network_owner: &types::ProjectId) -> Target {
    target.with("network:project_id", network_owner.as_str()).with("network:tenant_id", network_owner.as_str())
}

fn sees_provider(cx: &Cx) -> bool {
    cx.may(&GET_PROVIDER, &Target::new())
}

fn read_segment(input: &mut Input) -> crate::Result<Wish> {
    Ok(Wish {
        network_type: input.text("provider:network_type", 32)?,
        physical_network: input.text("provider:physical_network", 64)?,
        segmentation_id: input.number("provider:segmentation_id", 0..=i64::from(u32::MAX))?,
    })
}

fn read_mtu(input: &mut Input) -> crate::Result<Option<u32>> {
    let mtu = input.number("mtu", 0..=65_535)?;
    Ok(mtu.and_then(|mtu| u32::try_from(mtu).ok()))
}

/// Hints may only name a zone that there is.
pub fn read_hints(room: &Room, input: &mut Input) -> crate::Result<Vec<String>> {
    let hints = input.texts("availability_zone_hints")?.unwrap_or_default();
    match hints.iter().find(|hint| **hint != room.settings.availability_zone) {
        Some(unknown) => Err(input::bad("availability_zone_hints", format!("there is no availability zone '{unknown}'"))),
        None => Ok(hints),
    }
}
