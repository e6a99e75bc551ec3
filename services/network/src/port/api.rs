// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/ports`.
//!
//! Invariant: a tenant cannot make his port look like the cloud's own, whose packets are trusted
//! (test: `tenants_cannot_take_network_owners`; OSSA-2015-018).

use std::sync::Arc;

use ::store::Tx;
use access::{Asker, Denied, Policy, Target};
use api::{Access, Cx, Fault, Routes};
use serde_json::{Map, Value};
use types::{ProjectId, SecurityGroupId};

pub use super::check::read_fixed_ips;
use super::{
    Row, STATUS, View, check, is_trusted,
    table::{Create, Found, Update},
};
pub use crate::who::SEE_PORTS as GET;
use crate::{
    Error, Room,
    input::{self, Input, LONGEST, READ_ONLY},
    listing::{Attribute, Listing, flag, mac, number, text},
    network,
    resource::{self, Kept, Served, Shown},
    tag,
};

/// Admins, and members of the project that owns the network.
const NETWORK_OWNER: &str = "rule:admin_only or rule:service_api or (role:member and project_id:%(network:project_id)s)";

pub static GET_BINDING: Policy =
    Policy::new("get_port:binding:host_id", "rule:admin_only or rule:service_api", "See where a port is plugged");
pub static CREATE: Policy = Policy::new("create_port", "rule:project_member_or_admin or rule:service_api", "Make a port");
pub static CREATE_DEVICE_OWNER: Policy = Policy::new(
    "create_port:device_owner",
    "rule:admin_only or rule:service_role",
    "Make a port that poses as the cloud's own (network:*)",
);
pub static CREATE_MAC: Policy = Policy::new("create_port:mac_address", NETWORK_OWNER, "Choose a port's MAC address");
pub static CREATE_FIXED_IP: Policy = Policy::new("create_port:fixed_ips:ip_address", NETWORK_OWNER, "Choose a port's address");
pub static CREATE_PORT_SECURITY: Policy =
    Policy::new("create_port:port_security_enabled", NETWORK_OWNER, "Choose whether a port's senders are checked");
pub static CREATE_PAIRS: Policy =
    Policy::new("create_port:allowed_address_pairs", NETWORK_OWNER, "Allow a port further sender addresses");
pub static CREATE_BINDING: Policy =
    Policy::new("create_port:binding:host_id", "rule:admin_only or rule:service_role", "Choose where a port is plugged");
pub static UPDATE: Policy = Policy::new("update_port", "rule:project_member_or_admin or rule:service_api", "Change a port");
pub static DELETE: Policy =
    Policy::new("delete_port", NETWORK_OWNER_OR_OWN, "Delete a port: one's own, or one on one's own network");

const NETWORK_OWNER_OR_OWN: &str =
    "rule:project_member_or_admin or rule:service_api or (role:member and project_id:%(network:project_id)s)";

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/ports", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/ports", &CREATE, resource::create::<Row>)
        .asking(&[
            &network::api::GET,
            &CREATE_DEVICE_OWNER,
            &CREATE_MAC,
            &CREATE_FIXED_IP,
            &CREATE_PORT_SECURITY,
            &CREATE_PAIRS,
            &CREATE_BINDING,
        ])
        .get("/v2.0/ports/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/ports/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .asking(&[&CREATE_DEVICE_OWNER, &CREATE_MAC, &CREATE_FIXED_IP, &CREATE_PORT_SECURITY, &CREATE_PAIRS, &CREATE_BINDING])
        .delete("/v2.0/ports/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .join(tag::api::routes::<Row>("/v2.0/ports/{id}/tags", "/v2.0/ports/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
        .each_asking(&[&GET_BINDING])
}

static ATTRIBUTES: [Attribute; 17] = [
    text("binding:host_id", "host_id"),
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("network_id", "network_id"),
    text("description", "description"),
    flag("admin_state_up", "admin_state_up"),
    mac("mac_address", "mac_address"),
    text("device_id", "device_id"),
    text("device_owner", "device_owner"),
    text("status", STATUS),
    flag("port_security_enabled", "port_security_enabled").sorts_only(),
    text("dns_name", "dns_name").sorts_only(),
    text("binding:vnic_type", "vnic_type").sorts_only(),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "port";
    const MANY: &'static str = "ports";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;
    const FILTERS: &'static [&'static str] = &["fixed_ips", "security_groups", "tags", "tags-any", "not-tags", "not-tags-any"];

    type View = View;

    /// Who may not see an attribute learns nothing by filtering on it.
    fn listing(cx: &Cx) -> Result<Option<Listing>, Fault> {
        let listing = Listing::read(cx, Self::ATTRIBUTES, Self::FILTERS)?;
        let asks_for_binding =
            cx.query().pairs().any(|(key, value)| key == "binding:host_id" || (key == "sort_key" && value == "binding:host_id"));
        Ok((sees_binding(cx) || !asks_for_binding).then_some(listing))
    }

    fn view(room: &Room, cx: &Cx, found: Found) -> View {
        let view = View::new(found, &room.settings);
        if sees_binding(cx) { view } else { view.without_binding() }
    }

    fn target(&self, tx: &mut Tx) -> crate::Result<Target> {
        let network = network::Row::get(tx, &self.network_id)?;
        Ok(network::api::with_owner(Target::in_project(&self.project_id), &network.project_id))
    }
}

impl Served for Row {
    const CREATE: &'static Policy = &CREATE;
    const UPDATE: &'static Policy = &UPDATE;
    const DELETE: &'static Policy = &DELETE;

    async fn read_create(room: &Arc<Room>, cx: &Cx, input: Input) -> Result<(Create, Target), Fault> {
        let mut input = input;
        let project_id = input.owner(cx)?;
        let (network, _) = resource::visible::<network::Row>(room, cx, &input.required_uuid("network_id")?).await?;
        let target = place(&cx.asker()?, &network, &project_id)?;
        let ask = read_create(cx, input, Create::on(project_id, network.id), &target)?;
        Ok((ask, target))
    }

    async fn read_update(&self, _room: &Arc<Room>, cx: &Cx, mut input: Input, target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "network_id"])?;
        let (name, description) = input.labels()?;
        let choices = read_choices(cx, &mut input, target)?;
        let device_owner = input.text("device_owner", LONGEST)?;
        let device_id = input.text("device_id", LONGEST)?;
        let changes_owner = device_owner.as_ref().is_some_and(|owner| *owner != self.device_owner);
        let changes_device = device_id.as_ref().is_some_and(|device| *device != self.device_id);
        let poses = device_owner.as_deref().is_some_and(is_trusted) && changes_owner;
        // A port that serves a router or is plugged into a machine is theirs until they let it go.
        let is_held = self.is_trusted() || !self.host_id.is_empty();
        if poses || (is_held && (changes_owner || changes_device)) {
            cx.check(&CREATE_DEVICE_OWNER, target)?;
        }
        let ask = Update {
            name,
            description,
            admin_state_up: input.flag("admin_state_up")?,
            mac_address: choices.mac_address,
            fixed_ips: choices.fixed_ips,
            device_id,
            device_owner,
            security_groups: read_groups(&mut input)?,
            port_security_enabled: choices.port_security_enabled,
            allowed_address_pairs: choices.allowed_address_pairs,
            extra_dhcp_opts: check::read_dhcp_options(&mut input)?,
            dns_name: check::read_dns_name(&mut input)?,
            host_id: choices.host_id,
            vnic_type: choices.vnic_type,
            profile: choices.profile,
        };
        input.finish()?;
        Ok(ask)
    }
}

fn sees_binding(cx: &Cx) -> bool {
    cx.may(&GET_BINDING, &Target::new())
}

fn read_create(cx: &Cx, mut input: Input, plain: Create, target: &Target) -> Result<Create, Fault> {
    input.fixed(&READ_ONLY)?;
    let (name, description) = input.labels()?;
    let choices = read_choices(cx, &mut input, target)?;
    let device_owner = input.text("device_owner", LONGEST)?.unwrap_or_default();
    if is_trusted(&device_owner) {
        cx.check(&CREATE_DEVICE_OWNER, target)?;
    }
    let ask = Create {
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        admin_state_up: input.flag("admin_state_up")?.unwrap_or(true),
        mac_address: choices.mac_address,
        fixed_ips: choices.fixed_ips,
        device_id: input.text("device_id", LONGEST)?.unwrap_or_default(),
        device_owner,
        security_groups: read_groups(&mut input)?,
        port_security_enabled: choices.port_security_enabled,
        allowed_address_pairs: choices.allowed_address_pairs.unwrap_or_default(),
        extra_dhcp_opts: check::read_dhcp_options(&mut input)?.unwrap_or_default(),
        dns_name: check::read_dns_name(&mut input)?.unwrap_or_default(),
        host_id: choices.host_id.unwrap_or_default(),
        vnic_type: choices.vnic_type.unwrap_or(plain.vnic_type),
        profile: choices.profile.unwrap_or_default(),
        ..plain
    };
    input.finish()?;
    Ok(ask)
}

/// What rules may ask about a port that the caller wants on this network, if he may have one there at all.
///
/// Invariant: a server's maker is asked the same as a port's (test: `a_server_goes_around_no_policy_of_ports`).
pub fn place(asker: &Asker, network: &network::Row, project: &ProjectId) -> Result<Target, Denied> {
    let target = network::api::with_owner(Target::in_project(project), &network.project_id);
    if network.external && !network.shared {
        asker.check(&CREATE_FIXED_IP, &target)?;
    }
    Ok(target)
}

/// The attributes that not everybody may choose.
#[derive(Default)]
pub struct Choices {
    pub mac_address: Option<types::Mac>,
    pub fixed_ips: Option<Vec<super::addresses::Wish>>,
    pub port_security_enabled: Option<bool>,
    pub allowed_address_pairs: Option<Vec<check::PairWish>>,
    pub host_id: Option<String>,
    pub vnic_type: Option<String>,
    pub profile: Option<Map<String, Value>>,
}

impl Choices {
    /// Refuses what the caller may not choose.
    pub fn permit(&self, asker: &Asker, target: &Target) -> Result<(), Denied> {
        let profile = self.profile.as_ref().is_some_and(|profile| !profile.is_empty());
        for (chosen, policy) in [
            (self.mac_address.is_some(), &CREATE_MAC),
            (self.fixed_ips.iter().flatten().any(|wish| wish.address.is_some()), &CREATE_FIXED_IP),
            (self.port_security_enabled.is_some(), &CREATE_PORT_SECURITY),
            (self.allowed_address_pairs.is_some(), &CREATE_PAIRS),
            (self.host_id.is_some() || profile, &CREATE_BINDING),
        ] {
            if chosen {
                asker.check(policy, target)?;
            }
        }
        Ok(())
    }
}

fn read_groups(input: &mut Input) -> crate::Result<Option<Vec<SecurityGroupId>>> {
    input.null_is_empty("security_groups");
    Ok(input.uuids("security_groups")?.map(|ids| ids.into_iter().map(Into::into).collect()))
}

fn read_choices(cx: &Cx, input: &mut Input, target: &Target) -> Result<Choices, Fault> {
    let choices = Choices {
        mac_address: input.mac("mac_address")?,
        fixed_ips: check::read_fixed_ips(input)?,
        port_security_enabled: input.flag("port_security_enabled")?,
        allowed_address_pairs: check::read_pairs(input)?,
        host_id: input.optional_text("binding:host_id", LONGEST)?.map(Option::unwrap_or_default),
        vnic_type: input.text("binding:vnic_type", LONGEST)?,
        profile: read_profile(input)?,
    };
    choices.permit(&cx.asker()?, target)?;
    if let Some(kind) = choices.vnic_type.as_deref().filter(|kind| *kind != "normal") {
        return Err(input::bad("binding:vnic_type", format!("'{kind}' is not 'normal', the only type of this cloud")).into());
    }
    for (name, off) in [("propagate_uplink_status", false), ("qos_policy_id", true), ("hardware_offload_type", true)] {
        match input.take(name) {
            None | Some(Value::Null) => {}
            Some(Value::Bool(false)) if !off => {}
            Some(_) => return Err(Error::bad(format!("Unrecognized attribute(s) '{name}'")).into()),
        }
    }
    Ok(choices)
}

fn read_profile(input: &mut Input) -> crate::Result<Option<Map<String, Value>>> {
    match input.take("binding:profile") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(Map::new())),
        Some(Value::Object(profile)) => Ok(Some(profile)),
        Some(_) => Err(input::bad("binding:profile", "it is not a dictionary")),
    }
}
