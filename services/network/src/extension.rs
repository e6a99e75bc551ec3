// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/extensions`: what this cloud does beyond the core of the API, and nothing that it does not.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use serde::Serialize;

use crate::{Error, Room, listing};

pub(crate) const DRAWER: crate::Drawer = api::Drawer::new("extension", routes).with(crate::Own::NOTHING);

pub fn routes() -> Routes<Room> {
    Routes::new().get("/v2.0/extensions", Access::Authenticated, list).get(
        "/v2.0/extensions/{alias}",
        Access::Authenticated,
        show,
    )
}

/// Alias, name, and what it means here.
const EXTENSIONS: [(&str, &str, &str); 44] = [
    ("agent", "agent", "The hosts that OVN works on can be listed."),
    ("allowed-address-pairs", "Allowed Address Pairs", "A port may use further sender addresses."),
    ("availability_zone", "Availability Zone", "Networks and routers name their availability zone."),
    ("binding", "Port Binding", "Operators see and choose the host of a port."),
    ("empty-string-filtering", "Empty String Filtering", "Lists can be filtered by an empty value."),
    ("ext-gw-mode", "External gateway modes", "A router's gateway may leave senders' addresses as they are."),
    ("external-net", "External networks", "Networks that routers have gateways and floating IPs on."),
    ("extra_dhcp_opt", "Extra DHCP options", "A port's DHCP may tell further options."),
    ("extraroute", "Extra routes", "Routers have routes of their own."),
    ("extraroute-atomic", "Atomic extra routes", "Routes can be added and removed one by one."),
    ("filter-validation", "Filter validation", "A list request with an unknown filter is refused."),
    ("fip-port-details", "Port details of floating IPs", "A floating IP shows the port it leads to."),
    ("floatingip-pools", "Floating IP pools", "The subnets that floating IPs come from can be listed."),
    ("ip-substring-filtering", "Filtering by part of an address", "Ports can be found by a part of an address."),
    ("net-mtu", "Network MTU", "A network shows the greatest packet it carries."),
    ("net-mtu-writable", "Writable MTU", "A network's MTU can be chosen."),
    ("network-ip-availability", "Address usage", "How many addresses of a network are used can be asked."),
    ("network_availability_zone", "Network availability zone", "Networks take hints of availability zones."),
    ("pagination", "Pagination", "Lists come in pages."),
    ("port-security", "Port security", "Sender addresses of a port are checked, or not."),
    ("project-id", "project_id", "Things name their project as project_id."),
    ("provider", "Provider networks", "Operators choose what carries a network."),
    ("quota-check-limit", "Quota check", "A new quota can be checked against what is used."),
    ("quota_details", "Quota details", "A quota shows what is used of it."),
    ("quotas", "Quotas", "Projects have limits."),
    ("revision-if-match", "If-Match", "A write can demand the revision it was made for."),
    ("router", "Routers", "Routers between networks, with gateways and floating IPs."),
    ("router_availability_zone", "Router availability zone", "Routers take hints of availability zones."),
    ("security-group", "Security groups", "What may reach a port and what it may send."),
    ("security-groups-normalized-cidr", "Normalized prefixes", "A rule shows its prefix without host bits."),
    ("security-groups-rules-belongs-to-default-sg", "Rules of default groups", "A rule says whether its group is a default one."),
    ("service-type", "Service types", "Who serves a kind of resource can be asked."),
    ("sorting", "Sorting", "Lists can be sorted."),
    ("standard-attr-description", "Descriptions", "Things have a description."),
    ("standard-attr-revisions", "Revisions", "Things count their changes; a write can demand a revision (If-Match)."),
    ("standard-attr-tag", "Tags", "Things can be tagged, and found by their tags."),
    ("standard-attr-timestamp", "Timestamps", "Things say when they were made and changed."),
    ("stateful-security-group", "Stateless security groups", "A group may do without tracking connections."),
    ("default-subnetpools", "Default subnet pools", "A subnet can be cut from the default pool."),
    ("subnet_allocation", "Subnet pools", "Subnets can be cut from pools."),
    ("subnetpool-prefix-ops", "Prefixes of subnet pools", "Prefixes can be added to a pool and taken away."),
    ("subnet-external-network", "Subnets of external networks", "A subnet says whether its network is external."),
    ("subnet-service-types", "Service types of subnets", "A subnet can be kept for ports of certain owners."),
    ("dns-integration", "Names of ports", "A port has a name that the network's own DNS answers."),
];

#[derive(Serialize)]
struct View {
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
    links: [(); 0],
}

async fn list(_room: Arc<Room>, cx: Cx) -> Reply {
    let views: Vec<View> = EXTENSIONS.iter().map(view).collect();
    listing::one(&cx, StatusCode::OK, "extensions", &views)
}

async fn show(_room: Arc<Room>, cx: Cx) -> Reply {
    let alias = cx.param("alias");
    let found = EXTENSIONS.iter().find(|(known, _, _)| *known == alias);
    let found = found.ok_or_else(|| Error::ExtensionNotFound { alias: alias.to_owned() })?;
    listing::one(&cx, StatusCode::OK, "extension", &view(found))
}

fn view((alias, name, description): &(&'static str, &'static str, &'static str)) -> View {
    View { alias, name, description, updated: "2026-11-01T00:00:00-00:00", links: [] }
}
