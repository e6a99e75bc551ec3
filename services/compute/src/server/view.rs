// SPDX-License-Identifier: Apache-2.0
//! How a server looks to a client, version by version. The only place that knows which attribute came when.

use std::{collections::HashMap, net::IpAddr};

use access::{Policy, Target};
use api::Cx;
use contracts::{nodes::NodeFacts, ports::PortFacts};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};
use types::{Mac, ProjectId, ServerId};

use super::{FaultNote, Server};
use crate::{
    Compute, availability_zone, error,
    input::Read,
    links::{self, Link},
    policy,
    versions::at_least,
};

/// What this caller may see, and what the neighbours know: learned once for all servers of an answer.
pub(super) struct Sight {
    extended: bool,
    host_status: bool,
    extra_specs: bool,
    ports: HashMap<ServerId, Vec<PortFacts>>,
    nodes: Vec<NodeFacts>,
}

/// Whether this answer is about one server or a list: Nova tells a little less in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    One,
    List,
    /// Of an update before 2.75, which tells less.
    Update,
}

impl Sight {
    /// What is asked of the caller before he is shown servers.
    pub(super) const ASKS: [&'static Policy; 3] =
        [&policy::SERVER_EXTENDED, &policy::SERVER_SHOW_EXTRA_SPECS, &policy::SERVER_SHOW_HOST_STATUS];

    /// Looks at these servers: one question to the network room for all of them, and one to fleet if it matters.
    pub(super) async fn of(room: &Compute, cx: &Cx, servers: &[Server]) -> Read<Self> {
        let project = servers.first().map(|server| server.project_id.clone());
        let target = project.as_ref().map_or_else(Target::new, Target::in_project);
        let host_status = at_least(cx.version, 16) && cx.may(&policy::SERVER_SHOW_HOST_STATUS, &target);
        Ok(Self {
            extended: cx.may(&policy::SERVER_EXTENDED, &target),
            extra_specs: cx.may(&policy::SERVER_SHOW_EXTRA_SPECS, &target),
            host_status,
            ports: ports(room, servers).await?,
            nodes: if host_status { room.nodes.list().await? } else { Vec::new() },
        })
    }

    fn ports(&self, server: &Server) -> &[PortFacts] {
        self.ports.get(&server.id).map_or(&[], Vec::as_slice)
    }
}

/// The ports of these servers: as network knows them, or as they were last noted here while it does not answer.
pub(super) async fn ports(room: &Compute, servers: &[Server]) -> error::Result<HashMap<ServerId, Vec<PortFacts>>> {
    if servers.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<ServerId> = servers.iter().map(|server| server.id.clone()).collect();
    match room.ports.of_servers(&ids).await {
        Ok(ports) => Ok(ports),
        Err(refusal) => {
            tracing::warn!(%refusal, "the network service does not tell of ports; what it last said is shown");
            super::claim::ports_of(&room.store, ids).await
        }
    }
}

/// What a plain list tells.
#[derive(Serialize)]
pub(super) struct Brief<'a> {
    id: &'a ServerId,
    name: &'a str,
    links: [Link; 2],
}

pub(super) fn brief<'a>(cx: &Cx, server: &'a Server) -> Brief<'a> {
    Brief { id: &server.id, name: &server.name, links: links::links(cx, "servers", server.id.as_str()) }
}

/// The document of one server.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub server: Detail<'a>,
}

/// All that a server shows, written straight into the answer: a page of a thousand is tens of thousands of attributes.
pub(super) struct Detail<'a> {
    pub cx: &'a Cx,
    pub sight: &'a Sight,
    pub server: &'a Server,
    pub answer: Answer,
}

impl Serialize for Detail<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { cx, sight, server, answer } = *self;
        let v = |minor| at_least(cx.version, minor);
        let ports = sight.ports(server);
        let mut view = serializer.serialize_map(None)?;
        view.serialize_entry("id", &server.id)?;
        view.serialize_entry("name", &server.name)?;
        view.serialize_entry("status", &server.status)?;
        view.serialize_entry("tenant_id", &server.project_id)?;
        view.serialize_entry("user_id", &server.user_id)?;
        view.serialize_entry("metadata", &server.metadata)?;
        view.serialize_entry("hostId", &host_id(&server.project_id, server.host.as_deref()))?;
        let image = Linked { id: server.image_id.as_str(), links: [links::bookmark(cx, "images", server.image_id.as_str())] };
        view.serialize_entry("image", &image)?;
        view.serialize_entry("flavor", &Flavor { cx, server, extra_specs: sight.extra_specs })?;
        view.serialize_entry("created", &server.created_at.zulu())?;
        view.serialize_entry("updated", &server.updated_at.zulu())?;
        view.serialize_entry("addresses", &Addresses(ports))?;
        view.serialize_entry("accessIPv4", server.access_ip_v4.as_deref().unwrap_or_default())?;
        view.serialize_entry("accessIPv6", server.access_ip_v6.as_deref().unwrap_or_default())?;
        view.serialize_entry("links", &links::links(cx, "servers", server.id.as_str()))?;
        view.serialize_entry("OS-DCF:diskConfig", &server.disk_config)?;
        if ["ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"].contains(&server.status.as_str()) {
            view.serialize_entry("progress", &0)?;
        }
        if let Some(note) = &server.fault
            && ["ERROR", "DELETED"].contains(&server.status.as_str())
        {
            view.serialize_entry("fault", &fault(note, sight.extended))?;
        }
        if v(19) {
            view.serialize_entry("description", &server.description)?;
        }
        if v(9) {
            view.serialize_entry("locked", &server.locked_by.is_some())?;
        }
        if v(73) {
            view.serialize_entry("locked_reason", &server.locked_reason)?;
        }
        if v(26) {
            view.serialize_entry("tags", &server.tags)?;
        }
        if v(63) {
            view.serialize_entry("trusted_image_certificates", &())?;
        }
        if v(90) || (v(3) && sight.extended && (answer != Answer::Update || v(75))) {
            view.serialize_entry("OS-EXT-SRV-ATTR:hostname", &server.hostname)?;
        }
        if v(71) && answer != Answer::List {
            view.serialize_entry("server_groups", &[(); 0])?;
        }
        if v(96) {
            view.serialize_entry("pinned_availability_zone", &server.zone)?;
        }
        if answer == Answer::Update && !v(75) {
            return view.end();
        }
        view.serialize_entry("OS-EXT-AZ:availability_zone", zone(server))?;
        view.serialize_entry("config_drive", if server.config_drive { "True" } else { "" })?;
        view.serialize_entry("key_name", &server.key_name)?;
        view.serialize_entry("OS-SRV-USG:launched_at", &server.launched_at.map(|at| at.naive_micros()))?;
        view.serialize_entry("OS-SRV-USG:terminated_at", &server.deleted_at.map(|at| at.naive_micros()))?;
        let groups = security_groups(server, ports);
        if !groups.is_empty() {
            view.serialize_entry("security_groups", &groups.iter().map(|name| Named { name }).collect::<Vec<_>>())?;
        }
        view.serialize_entry("OS-EXT-STS:task_state", &server.task_state)?;
        view.serialize_entry("OS-EXT-STS:vm_state", &server.vm_state)?;
        view.serialize_entry("OS-EXT-STS:power_state", &server.power_state)?;
        view.serialize_entry("os-extended-volumes:volumes_attached", &[(); 0])?;
        if sight.extended {
            extended(cx, server, &mut view)?;
        }
        if sight.host_status {
            view.serialize_entry("host_status", host_status(sight, server))?;
        }
        view.end()
    }
}

fn extended<M: SerializeMap>(cx: &Cx, server: &Server, view: &mut M) -> Result<(), M::Error> {
    view.serialize_entry("OS-EXT-SRV-ATTR:host", &server.host)?;
    view.serialize_entry("OS-EXT-SRV-ATTR:instance_name", &server.instance_name())?;
    view.serialize_entry("OS-EXT-SRV-ATTR:hypervisor_hostname", &server.host)?;
    if at_least(cx.version, 3) {
        view.serialize_entry("OS-EXT-SRV-ATTR:reservation_id", &server.reservation_id)?;
        view.serialize_entry("OS-EXT-SRV-ATTR:launch_index", &server.launch_index)?;
        view.serialize_entry("OS-EXT-SRV-ATTR:kernel_id", "")?;
        view.serialize_entry("OS-EXT-SRV-ATTR:ramdisk_id", "")?;
        view.serialize_entry("OS-EXT-SRV-ATTR:root_device_name", "/dev/vda")?;
        view.serialize_entry("OS-EXT-SRV-ATTR:user_data", &server.user_data.as_ref().map(|data| data.reveal()))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Linked<'a> {
    id: &'a str,
    links: [Link; 1],
}

/// Until 2.46 where the flavor is, from 2.47 on what it was when the server was made.
struct Flavor<'a> {
    cx: &'a Cx,
    server: &'a Server,
    extra_specs: bool,
}

impl Serialize for Flavor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (server, size) = (self.server, &self.server.flavor);
        if !at_least(self.cx.version, 47) {
            let id = server.flavor_id.as_str();
            return Linked { id, links: [links::bookmark(self.cx, "flavors", id)] }.serialize(serializer);
        }
        let mut view = serializer.serialize_map(None)?;
        view.serialize_entry("vcpus", &size.vcpus)?;
        view.serialize_entry("ram", &size.memory_mb)?;
        view.serialize_entry("disk", &size.disk_gb)?;
        view.serialize_entry("ephemeral", &size.ephemeral_gb)?;
        view.serialize_entry("swap", &size.swap_mb)?;
        view.serialize_entry("original_name", &size.name)?;
        if self.extra_specs {
            view.serialize_entry("extra_specs", &size.extra_specs)?;
        }
        view.end()
    }
}

/// By network, each address with its kind and the Ethernet address behind it.
struct Addresses<'a>(&'a [PortFacts]);

impl Serialize for Addresses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(addresses(self.0))
    }
}

#[derive(Serialize)]
pub(super) struct Address {
    pub version: u8,
    pub addr: IpAddr,
    #[serde(rename = "OS-EXT-IPS:type")]
    kind: &'static str,
    #[serde(rename = "OS-EXT-IPS-MAC:mac_addr")]
    mac: Mac,
}

/// The networks in the order of the ports.
pub(super) fn addresses(ports: &[PortFacts]) -> Vec<(&str, Vec<Address>)> {
    let mut networks: Vec<(&str, Vec<Address>)> = Vec::new();
    for port in ports {
        let name = port.network_name.as_str();
        let place = networks.iter().position(|(network, _)| *network == name).unwrap_or_else(|| {
            networks.push((name, Vec::new()));
            networks.len() - 1
        });
        let fixed = port.fixed_ips.iter().map(|ip| (ip.address, "fixed"));
        let floating = port.floating_ips.iter().map(|ip| (ip.address, "floating"));
        networks[place].1.extend(fixed.chain(floating).map(|(addr, kind)| Address {
            version: if addr.is_ipv4() { 4 } else { 6 },
            addr,
            kind,
            mac: port.mac,
        }));
    }
    networks
}

/// What a tenant may know of a host: whether two of its servers share one.
pub(crate) fn host_id(project: &ProjectId, host: Option<&str>) -> String {
    host.map_or_else(String::new, |host| hex::encode(Sha224::digest(format!("{project}{host}").as_bytes())))
}

fn zone(server: &Server) -> &str {
    match (&server.host, &server.zone) {
        (Some(_), _) => availability_zone::ZONE,
        (None, Some(zone)) => zone,
        (None, None) => "",
    }
}

pub(super) fn security_groups(server: &Server, ports: &[PortFacts]) -> Vec<String> {
    if ports.is_empty() {
        return server.security_groups.clone();
    }
    let mut names: Vec<String> = ports.iter().flat_map(|port| port.security_groups.iter().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn fault(note: &FaultNote, with_details: bool) -> Value {
    let mut view = json!({"code": note.code, "created": note.created.zulu(), "message": note.message});
    if let Some(details) = note.details.as_ref().filter(|_| with_details) {
        view["details"] = json!(details);
    }
    view
}

fn host_status(sight: &Sight, server: &Server) -> &'static str {
    let Some(id) = &server.node_id else { return "" };
    match sight.nodes.iter().find(|node| node.id == *id) {
        Some(node) if node.disabled => "MAINTENANCE",
        Some(node) if node.up => "UP",
        _ => "UNKNOWN",
    }
}
