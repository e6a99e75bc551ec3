// SPDX-License-Identifier: Apache-2.0
//! How a server looks to a client, version by version. The only place that knows which attribute came when.

use std::{collections::HashMap, net::IpAddr};

use access::{Policy, Target};
use api::{Cx, Shown, attributes};
use contracts::{nodes::NodeFacts, ports::PortFacts};
use futures_util::future::try_join;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};
use types::{Mac, Microversion, ProjectId, ServerId};

use super::{FaultNote, Server, volume};
use crate::{
    Compute, availability_zone, error,
    input::Read,
    links::{self, Link},
    server::policy,
    versions::{at_least, v},
};

/// What this caller may see, and what the neighbours know: learned once for all servers of an answer.
pub(super) struct Sight {
    extended: bool,
    host_status: bool,
    extra_specs: bool,
    ports: HashMap<ServerId, Vec<PortFacts>>,
    volumes: HashMap<ServerId, Vec<volume::read::Brief>>,
    nodes: Vec<NodeFacts>,
}

/// Whether this answer is about one server or a list: Nova tells a little less in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    One,
    List,
    /// Of an update before 2.75, which tells less.
    Update,
    /// Of a rebuild, which before 2.75 tells as little, and of what was set anew.
    Rebuild,
}

impl Sight {
    /// What is asked of the caller before he is shown servers.
    pub(super) const ASKS: [&'static Policy; 3] = [&policy::EXTENDED, &policy::SHOW_EXTRA_SPECS, &policy::SHOW_HOST_STATUS];

    /// Looks at these servers: one question to the network room for all of them and one for their volumes, side by side, and one to
    /// fleet if it matters.
    pub(super) async fn of(room: &Compute, cx: &Cx, servers: &[Server]) -> Read<Self> {
        let project = servers.first().map(|server| server.project_id.clone());
        let target = project.as_ref().map_or_else(Target::new, Target::in_project);
        let host_status = at_least(cx.version, 16) && cx.may(&policy::SHOW_HOST_STATUS, &target);
        let (ports, volumes) = try_join(ports(room, servers), volumes(room, servers)).await?;
        Ok(Self {
            extended: cx.may(&policy::EXTENDED, &target),
            extra_specs: cx.may(&policy::SHOW_EXTRA_SPECS, &target),
            host_status,
            ports,
            volumes,
            nodes: if host_status { room.nodes.list().await? } else { Vec::new() },
        })
    }

    fn may(&self, policy: &'static Policy) -> bool {
        [
            (&policy::EXTENDED, self.extended),
            (&policy::SHOW_EXTRA_SPECS, self.extra_specs),
            (&policy::SHOW_HOST_STATUS, self.host_status),
        ]
        .iter()
        .any(|(known, may)| *may && std::ptr::eq(*known, policy))
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

async fn volumes(room: &Compute, servers: &[Server]) -> error::Result<HashMap<ServerId, Vec<volume::read::Brief>>> {
    if servers.is_empty() {
        return Ok(HashMap::new());
    }
    volume::read::of_servers(&room.store, servers.iter().map(|server| server.id.clone()).collect()).await
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
        let ports = sight.ports(server);
        let it = Whole { cx, sight, server, answer, ports, groups: security_groups(server, ports) };
        let mut view = serializer.serialize_map(None)?;
        in_every_answer(&it, &mut view)?;
        // An update told less before 2.75.
        if matches!(answer, Answer::One | Answer::List) || at_least(cx.version, 75) {
            in_whole_answers(&it, &mut view)?;
        }
        if answer == Answer::Rebuild {
            in_answers_to_rebuilds(&it, &mut view)?;
        }
        view.end()
    }
}

/// A server with what is looked up once for all its attributes.
struct Whole<'a> {
    cx: &'a Cx,
    sight: &'a Sight,
    server: &'a Server,
    answer: Answer,
    ports: &'a [PortFacts],
    groups: Vec<String>,
}

impl Shown for Whole<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, policy: &'static Policy) -> bool {
        self.sight.may(policy)
    }
}

attributes! {
    /// What every answer tells of a server.
    IN_EVERY_ANSWER, fn in_every_answer(it: &Whole<'_>);
    "id" => it.server.id,
    "name" => it.server.name,
    "status" => it.server.status,
    "tenant_id" => it.server.project_id,
    "user_id" => it.server.user_id,
    "metadata" => it.server.metadata,
    "hostId" => host_id(&it.server.project_id, it.server.host.as_deref()),
    "image" => image(it.cx, it.server),
    "flavor" => Flavor { cx: it.cx, sight: it.sight, server: it.server },
    "created" => it.server.created_at.zulu(),
    "updated" => it.server.updated_at.zulu(),
    "addresses" => Addresses(it.ports),
    "accessIPv4" => it.server.access_ip_v4.as_deref().unwrap_or_default(),
    "accessIPv6" => it.server.access_ip_v6.as_deref().unwrap_or_default(),
    "links" => links::links(it.cx, "servers", it.server.id.as_str()),
    "OS-DCF:diskConfig" => it.server.disk_config,
    "progress" if makes_progress(it.server) => 0,
    "fault" if shows_fault(it.server) => it.server.fault.as_ref().map(|note| fault(note, it.sight.extended)),
    "description" since(v(19)) => it.server.description,
    "locked" since(v(9)) => it.server.locked_by.is_some(),
    "locked_reason" since(v(73)) => it.server.locked_reason,
    "tags" since(v(26)) => it.server.tags,
    "trusted_image_certificates" since(v(63)) => (),
    "OS-EXT-SRV-ATTR:hostname" since(v(90)) => it.server.hostname,
    "server_groups" since(v(71)) if it.answer != Answer::List => [(); 0],
    "pinned_availability_zone" since(v(96)) => it.server.zone,
}

attributes! {
    /// What all answers tell but those of older updates.
    IN_WHOLE_ANSWERS, fn in_whole_answers(it: &Whole<'_>);
    "OS-EXT-AZ:availability_zone" => zone(it.server),
    "config_drive" => if it.server.config_drive { "True" } else { "" },
    "key_name" => it.server.key_name,
    "OS-SRV-USG:launched_at" => it.server.launched_at.map(|at| at.naive_micros()),
    "OS-SRV-USG:terminated_at" => it.server.deleted_at.map(|at| at.naive_micros()),
    "security_groups" if !it.groups.is_empty() => it.groups.iter().map(|name| Named { name }).collect::<Vec<_>>(),
    "OS-EXT-STS:task_state" => it.server.task_state,
    "OS-EXT-STS:vm_state" => it.server.vm_state,
    "OS-EXT-STS:power_state" => it.server.power_state,
    "os-extended-volumes:volumes_attached" => volumes_attached(it),
    "OS-EXT-SRV-ATTR:host" by(policy::EXTENDED) => it.server.host,
    "OS-EXT-SRV-ATTR:instance_name" by(policy::EXTENDED) => it.server.instance_name(),
    "OS-EXT-SRV-ATTR:hypervisor_hostname" by(policy::EXTENDED) => it.server.host,
    "OS-EXT-SRV-ATTR:hostname" since(v(3)) until(v(89)) by(policy::EXTENDED) => it.server.hostname,
    "OS-EXT-SRV-ATTR:reservation_id" since(v(3)) by(policy::EXTENDED) => it.server.reservation_id,
    "OS-EXT-SRV-ATTR:launch_index" since(v(3)) by(policy::EXTENDED) => it.server.launch_index,
    "OS-EXT-SRV-ATTR:kernel_id" since(v(3)) by(policy::EXTENDED) => "",
    "OS-EXT-SRV-ATTR:ramdisk_id" since(v(3)) by(policy::EXTENDED) => "",
    "OS-EXT-SRV-ATTR:root_device_name" since(v(3)) by(policy::EXTENDED) => "/dev/vda",
    "OS-EXT-SRV-ATTR:user_data" since(v(3)) by(policy::EXTENDED) => it.server.user_data.as_ref().map(|data| data.reveal()),
    "host_status" since(v(16)) by(policy::SHOW_HOST_STATUS) => host_status(it.sight, it.server),
}

attributes! {
    /// What answers to rebuilds tell beside that.
    IN_ANSWERS_TO_REBUILDS, fn in_answers_to_rebuilds(it: &Whole<'_>);
    "key_name" since(v(54)) until(v(74)) => it.server.key_name,
    "user_data" since(v(57)) => it.server.user_data.as_ref().map(|data| data.reveal()),
}

fn makes_progress(server: &Server) -> bool {
    ["ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"].contains(&server.status.as_str())
}

fn shows_fault(server: &Server) -> bool {
    server.fault.is_some() && ["ERROR", "DELETED"].contains(&server.status.as_str())
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Image<'a> {
    /// It boots from a volume: an empty text, as clients of Nova know it.
    None(&'static str),
    Linked {
        id: &'a str,
        links: [Link; 1],
    },
}

fn image<'a>(cx: &Cx, server: &'a Server) -> Image<'a> {
    match server.image_id.as_str() {
        "" => Image::None(""),
        id => Image::Linked { id, links: [links::bookmark(cx, "images", id)] },
    }
}

/// A volume of a server, in its view.
struct Volume<'a>(&'a Cx, &'a volume::read::Brief);

impl Shown for Volume<'_> {
    fn version(&self) -> Microversion {
        self.0.version
    }

    fn may(&self, _policy: &'static Policy) -> bool {
        false
    }
}

attributes! {
    /// Of a volume within a server.
    VOLUME, fn volume_attached(it: &Volume<'_>);
    "id" => it.1.id,
    "delete_on_termination" since(v(3)) => it.1.delete_on_termination,
}

impl Serialize for Volume<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_map(None)?;
        volume_attached(self, &mut view)?;
        view.end()
    }
}

fn volumes_attached<'a>(it: &Whole<'a>) -> Vec<Volume<'a>> {
    let volumes = it.sight.volumes.get(&it.server.id).map_or(&[][..], Vec::as_slice);
    volumes.iter().map(|volume| Volume(it.cx, volume)).collect()
}

/// What the server's flavor is, or was when it was made.
struct Flavor<'a> {
    cx: &'a Cx,
    sight: &'a Sight,
    server: &'a Server,
}

impl Shown for Flavor<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, policy: &'static Policy) -> bool {
        self.sight.may(policy)
    }
}

attributes! {
    /// Of the flavor within a server: until 2.46 where it is, later what it was when the server was made.
    FLAVOR, fn flavor(it: &Flavor<'_>);
    "id" until(v(46)) => it.server.flavor_id,
    "links" until(v(46)) => [links::bookmark(it.cx, "flavors", it.server.flavor_id.as_str())],
    "vcpus" since(v(47)) => it.server.flavor.vcpus,
    "ram" since(v(47)) => it.server.flavor.memory_mb,
    "disk" since(v(47)) => it.server.flavor.disk_gb,
    "ephemeral" since(v(47)) => it.server.flavor.ephemeral_gb,
    "swap" since(v(47)) => it.server.flavor.swap_mb,
    "original_name" since(v(47)) => it.server.flavor.name,
    "extra_specs" since(v(47)) by(policy::SHOW_EXTRA_SPECS) => it.server.flavor.extra_specs,
}

impl Serialize for Flavor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_map(None)?;
        flavor(self, &mut view)?;
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
