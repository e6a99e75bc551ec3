// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/subnets`.

use std::sync::Arc;

use ::store::Tx;
use access::{Policy, Target};
use api::{Access, Cx, Fault, Routes};

use super::{
    Row, View, check,
    table::{Create, Found, Source, Update},
};
use crate::{
    Error, Room,
    input::{Input, LONGEST, READ_ONLY, read_cidr},
    listing::{Attribute, address, flag, number, prefix, text},
    network,
    resource::{self, Kept, Served, Shown},
    subnet_pool::table::{Choice, Wish},
    tag,
};

pub static GET: Policy = Policy::new(
    "get_subnet",
    "rule:project_reader_or_admin or rule:service_api",
    "See subnets: one's own and those of shared and external networks",
);
pub static CREATE: Policy = Policy::new(
    "create_subnet",
    "rule:admin_only or (role:member and project_id:%(network:project_id)s)",
    "Make a subnet on one's own network",
);
pub static UPDATE: Policy = Policy::new(
    "update_subnet",
    "rule:admin_only or (role:member and project_id:%(network:project_id)s)",
    "Change a subnet of one's own network",
);
pub static DELETE: Policy = Policy::new(
    "delete_subnet",
    "rule:admin_only or (role:member and project_id:%(network:project_id)s)",
    "Delete a subnet of one's own network",
);

/// What a subnet may be depends on its network's owner, so the handlers ask the policies when they know the network.
pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/subnets", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/subnets", Access::Asks(&CREATE), resource::create::<Row>)
        .asking(&[&network::api::GET])
        .get("/v2.0/subnets/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/subnets/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .delete("/v2.0/subnets/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .join(tag::api::routes::<Row>("/v2.0/subnets/{id}/tags", "/v2.0/subnets/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 17] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("network_id", "network_id"),
    text("description", "description"),
    number("ip_version", "ip_version"),
    prefix("cidr", "cidr"),
    address("gateway_ip", "gateway_ip"),
    flag("enable_dhcp", "enable_dhcp"),
    text("subnetpool_id", "subnetpool_id"),
    text("ipv6_ra_mode", "ipv6_ra_mode"),
    text("ipv6_address_mode", "ipv6_address_mode"),
    // Neither is a subnet's own.
    flag("shared", "(SELECT n.shared FROM networks n WHERE n.id = subnets.network_id)"),
    flag("router:external", "(SELECT n.external FROM networks n WHERE n.id = subnets.network_id)"),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "subnet";
    const MANY: &'static str = "subnets";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    type View = View;

    fn view(_room: &Room, _cx: &Cx, found: Found) -> View {
        View::new(found)
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

    async fn read_create(room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<(Create, Target), Fault> {
        input.fixed(&READ_ONLY)?;
        let project_id = input.owner(cx)?;
        let network_id = input.required_uuid("network_id")?;
        let (name, description) = input.labels()?;
        if input.optional_uuid("segment_id")?.flatten().is_some() {
            return Err(Error::invalid("networks of this cloud have no segments to choose from").into());
        }
        if input.flag("dns_publish_fixed_ip")? == Some(true) {
            return Err(Error::invalid("no DNS service publishes addresses in this cloud").into());
        }
        let source = read_source(&mut input)?;
        read_nulls(&mut input);
        let enable_dhcp = input.flag("enable_dhcp")?.unwrap_or(true);
        let ra_mode = input.optional_text("ipv6_ra_mode", LONGEST)?.flatten();
        let address_mode = input.optional_text("ipv6_address_mode", LONGEST)?.flatten();
        let ask = Create {
            network_id: network_id.as_str().into(),
            project_id,
            name: name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            source,
            gateway_ip: input.address("gateway_ip")?,
            enable_dhcp,
            ipv6_ra_mode: ra_mode,
            ipv6_address_mode: address_mode,
            allocation_pools: check::read_pools(&mut input)?.filter(|pools| !pools.is_empty()),
            dns_nameservers: check::read_name_servers(&mut input)?,
            host_routes: check::read_host_routes(&mut input)?.unwrap_or_default(),
            service_types: input.texts("service_types")?.unwrap_or_default(),
        };
        input.finish()?;
        let (network, _) = resource::visible::<network::Row>(room, cx, &network_id).await?;
        let target = network::api::with_owner(Target::in_project(&ask.project_id), &network.project_id);
        Ok((ask, target))
    }

    async fn read_update(&self, _room: &Arc<Room>, _cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&[
            "project_id",
            "tenant_id",
            "network_id",
            "cidr",
            "ip_version",
            "ipv6_ra_mode",
            "ipv6_address_mode",
            "subnetpool_id",
        ])?;
        let (name, description) = input.labels()?;
        read_nulls(&mut input);
        let ask = Update {
            name,
            description,
            gateway_ip: input.address("gateway_ip")?,
            enable_dhcp: input.flag("enable_dhcp")?,
            allocation_pools: check::read_pools(&mut input)?,
            dns_nameservers: check::read_name_servers(&mut input)?,
            host_routes: check::read_host_routes(&mut input)?,
            service_types: input.texts("service_types")?,
        };
        if input.optional_uuid("segment_id")?.flatten().is_some() {
            return Err(Error::invalid("networks of this cloud have no segments to choose from").into());
        }
        input.finish()?;
        Ok(ask)
    }
}

/// What a list of a subnet's means that is null.
fn read_nulls(input: &mut Input) {
    input.null_is_absent("allocation_pools");
    for name in ["dns_nameservers", "host_routes", "service_types"] {
        input.null_is_empty(name);
    }
}

/// A range that the client names, or one to be cut from a pool.
fn read_source(input: &mut Input) -> crate::Result<Source> {
    let pool = input.optional_uuid("subnetpool_id")?.flatten();
    let use_default = input.flag("use_default_subnetpool")?.unwrap_or(false);
    let prefixlen = input.number("prefixlen", 0..=128)?.and_then(|length| u16::try_from(length).ok());
    let cidr = match input.optional_text("cidr", LONGEST)?.flatten() {
        Some(text) => Some(read_cidr("cidr", &text)?),
        None => None,
    };
    let version = input.number("ip_version", i64::MIN..=i64::MAX)?;
    if let (Some(cidr), Some(asked)) = (cidr, version)
        && asked != if matches!(cidr, ipnet::IpNet::V4(_)) { 4 } else { 6 }
    {
        let message = format!("invalid CIDR {cidr} for the IP version: the ip_version '{asked}' does not match cidr '{cidr}'");
        return Err(Error::invalid(message));
    }
    let choice = match (pool, use_default, version) {
        (Some(_), true, _) => {
            return Err(Error::bad("subnetpool_id and use_default_subnetpool cannot both be specified"));
        }
        (Some(id), false, _) => Choice::Named(id),
        (None, true, Some(4)) => Choice::Default(4),
        (None, true, Some(6)) => Choice::Default(6),
        (None, true, _) => return Err(Error::bad("ip_version must be specified with use_default_subnetpool")),
        (None, false, None) => return Err(Error::invalid("ip_version must be specified in the absence of a subnetpool")),
        (None, false, Some(_)) => {
            let cidr = cidr.ok_or_else(|| Error::bad("a subnetpool must be specified in the absence of a cidr"))?;
            return Ok(Source::Given(cidr));
        }
    };
    Ok(Source::Pool(Wish { pool: choice, prefixlen, cidr }))
}
