// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/subnets`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, no_content};
use http::StatusCode;

use super::{
    Row, View, check,
    store::{self, Create, Update},
};
use crate::{
    Error, Room,
    input::{self, Input, LONGEST, READ_ONLY},
    ipam::range,
    listing::{self, Attribute, Listing, flag, number, text},
    network,
    who::Doer,
};

pub static GET: Policy =
    Policy::new("get_subnet", "rule:project_reader_or_admin", "See subnets: one's own and those of shared and external networks");
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
pub fn routes(room: &Arc<Room>) -> Routes<Room> {
    Routes::new(room.clone())
        .get("/v2.0/subnets", &GET, list)
        .post("/v2.0/subnets", Access::Authenticated, create)
        .get("/v2.0/subnets/{id}", &GET, show)
        .put("/v2.0/subnets/{id}", Access::Authenticated, update)
        .delete("/v2.0/subnets/{id}", Access::Authenticated, delete)
}

static ATTRIBUTES: [Attribute; 14] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("network_id", "network_id"),
    text("description", "description"),
    number("ip_version", "ip_version"),
    text("cidr", "cidr"),
    text("gateway_ip", "gateway_ip"),
    flag("enable_dhcp", "enable_dhcp"),
    text("ipv6_ra_mode", "ipv6_ra_mode"),
    text("ipv6_address_mode", "ipv6_address_mode"),
    number("created_at", "created_at"),
    number("updated_at", "updated_at"),
    number("revision_number", "generation"),
];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    let scope = cx.allowed()?.clone();
    let listing = Listing::read(&cx, &ATTRIBUTES, &[])?;
    let (listing, found) = room.list(move |tx| store::page(tx, &scope, &listing).map(|found| (listing.clone(), found))).await?;
    let views: Vec<View> = found.into_iter().map(View::new).collect();
    listing.answer(&cx, "subnets", &views, |view| view.id.as_str())
}

async fn create(room: Arc<Room>, mut cx: Cx) -> Reply {
    let (inputs, in_bulk) = input::documents(&mut cx, "subnet", "subnets").await?;
    let doer = Doer::of(&cx)?;
    let mut asks = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (network_id, ask) = read_create(&room, &cx, input)?;
        let network = network::api::visible(&room, &cx, &network_id).await?;
        let target = network::api::with_owner(Target::in_project(&ask.project_id), &network.project_id);
        asks.push((cx.check(&CREATE, &target)?, ask));
    }
    let settings = room.settings.clone();
    let made = room
        .write(move |tx| {
            asks.iter().map(|(proof, ask)| store::create(tx, &doer, proof, &settings, ask)).collect::<crate::Result<Vec<_>>>()
        })
        .await?;
    let views: Vec<View> = made.into_iter().map(View::new).collect();
    listing::created(&cx, "subnet", "subnets", &views, in_bulk)
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let (scope, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let found = room
        .read(move |tx| {
            let row = store::find(tx, &scope, &id)?;
            Ok(store::found(tx, vec![row])?.remove(0))
        })
        .await?;
    listing::one(&cx, StatusCode::OK, "subnet", &View::new(found))
}

async fn update(room: Arc<Room>, mut cx: Cx) -> Reply {
    let (row, target) = visible(&room, &cx, cx.param("id")).await?;
    let ask = read_update(input::document(&mut cx, "subnet").await?)?;
    let proof = cx.check(&UPDATE, &target)?;
    let (doer, revision) = (Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    let found = room.write(move |tx| store::update(tx, &doer, &proof, &row.id, revision, &ask)).await?;
    listing::one(&cx, StatusCode::OK, "subnet", &View::new(found))
}

async fn delete(room: Arc<Room>, cx: Cx) -> Reply {
    let (row, target) = visible(&room, &cx, cx.param("id")).await?;
    let proof = cx.check(&DELETE, &target)?;
    let (doer, revision) = (Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    room.write(move |tx| store::delete(tx, &doer, &proof, &row.id, revision)).await?;
    no_content()
}

/// The subnet, if the caller may see it at all, and what a rule may ask about it.
pub async fn visible(room: &Arc<Room>, cx: &Cx, id: &str) -> Result<(Row, Target), Fault> {
    let (scope, id) = (cx.scope(&GET)?, id.to_owned());
    room.read(move |tx| {
        let row = store::find(tx, &scope, &id)?;
        let network = network::store::get(tx, &row.network_id)?;
        let target = network::api::with_owner(Target::in_project(&row.project_id), &network.project_id);
        Ok((row, target))
    })
    .await
}

/// The network's id, as it was written, and the rest.
fn read_create(room: &Room, cx: &Cx, mut input: Input) -> Result<(String, Create), Fault> {
    input.fixed(&READ_ONLY)?;
    let project_id = input.owner(cx)?;
    let network_id = input.required_text("network_id")?;
    let (name, description) = input.labels()?;
    if input.optional_text("subnetpool_id", LONGEST)?.flatten().is_some() || input.take("prefixlen").is_some() {
        return Err(Error::invalid("there are no subnet pools in this cloud; name a cidr").into());
    }
    if input.optional_text("segment_id", LONGEST)?.flatten().is_some() {
        return Err(Error::invalid("networks of this cloud have no segments to choose from").into());
    }
    if input.flag("use_default_subnetpool")? == Some(true) || input.flag("dns_publish_fixed_ip")? == Some(true) {
        return Err(Error::invalid("use_default_subnetpool and dns_publish_fixed_ip cannot be true in this cloud").into());
    }
    let cidr = input.optional_text("cidr", LONGEST)?.flatten();
    let cidr = cidr.ok_or_else(|| Error::bad("a subnetpool must be specified in the absence of a cidr"))?;
    let cidr = check::read_cidr("cidr", &cidr)?;
    check::check_cidr(&cidr)?;
    let version = if matches!(cidr, ipnet::IpNet::V4(_)) { 4 } else { 6 };
    match input.number("ip_version", 4..=6)? {
        Some(Some(asked)) if asked == version => {}
        Some(Some(asked)) => {
            let message =
                format!("invalid CIDR {cidr} for the IP version: the ip_version '{asked}' does not match cidr '{cidr}'");
            return Err(Error::invalid(message).into());
        }
        _ => {
            return Err(
                Error::bad("Invalid input for operation: ip_version must be specified in the absence of a subnetpool").into()
            );
        }
    }
    let enable_dhcp = input.flag("enable_dhcp")?.unwrap_or(true);
    let ra_mode = input.optional_text("ipv6_ra_mode", LONGEST)?.flatten();
    let address_mode = input.optional_text("ipv6_address_mode", LONGEST)?.flatten();
    check::check_modes(&cidr, enable_dhcp, ra_mode.as_deref(), address_mode.as_deref())?;
    let gateway_ip = match input.address("gateway_ip")? {
        Some(choice) => choice,
        None => Some(range::default_gateway(&cidr)),
    };
    if let Some(gateway) = gateway_ip {
        check::check_gateway(&cidr, gateway)?;
    }
    let pools = match check::read_pools(&mut input)? {
        Some(pools) if !pools.is_empty() => {
            range::check_pools(&cidr, &pools, gateway_ip)?;
            pools
        }
        _ => range::default_pools(&cidr, gateway_ip),
    };
    let ask = Create {
        network_id: network_id.as_str().into(),
        project_id,
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        cidr,
        gateway_ip,
        enable_dhcp,
        ipv6_ra_mode: ra_mode,
        ipv6_address_mode: address_mode,
        allocation_pools: pools,
        dns_nameservers: check::read_name_servers(&mut input)?.unwrap_or_else(|| room.settings.default_dns_for(&cidr)),
        host_routes: check::read_host_routes(&mut input)?.unwrap_or_default(),
        service_types: input.texts("service_types")?.unwrap_or_default(),
    };
    input.finish()?;
    Ok((network_id, ask))
}

fn read_update(mut input: Input) -> Result<Update, Fault> {
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
    if input.optional_text("segment_id", LONGEST)?.flatten().is_some() {
        return Err(Error::invalid("networks of this cloud have no segments to choose from").into());
    }
    input.finish()?;
    Ok(ask)
}
