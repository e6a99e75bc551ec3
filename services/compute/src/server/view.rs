// SPDX-License-Identifier: Apache-2.0
//! How a server looks to a client, version by version. The only place that knows which attribute came when.

use std::collections::HashMap;

use access::Target;
use api::Cx;
use contracts::{nodes::NodeFacts, ports::PortFacts};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha224};
use types::{ProjectId, ServerId};

use super::{FaultNote, Server};
use crate::{Compute, availability_zone, error::Result, input::Read, links, policy, versions::at_least};

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
pub(super) async fn ports(room: &Compute, servers: &[Server]) -> Result<HashMap<ServerId, Vec<PortFacts>>> {
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

pub(super) fn brief(cx: &Cx, server: &Server) -> Value {
    json!({"id": server.id, "name": server.name, "links": links::links(cx, "servers", server.id.as_str())})
}

pub(super) fn detail(cx: &Cx, sight: &Sight, server: &Server, answer: Answer) -> Value {
    let v = |minor| at_least(cx.version, minor);
    let words = server.facts().words();
    let ports = sight.ports(server);
    let mut view = json!({
        "id": server.id,
        "name": server.name,
        "status": words.status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": server.metadata,
        "hostId": host_id(&server.project_id, server.host.as_deref()),
        "image": {"id": server.image_id, "links": [links::bookmark(cx, "images", server.image_id.as_str())]},
        "flavor": flavor(cx, sight, server),
        "created": server.created_at.zulu(),
        "updated": server.updated_at.zulu(),
        "addresses": addresses(ports),
        "accessIPv4": server.access_ip_v4.as_deref().unwrap_or_default(),
        "accessIPv6": server.access_ip_v6.as_deref().unwrap_or_default(),
        "links": links::links(cx, "servers", server.id.as_str()),
        "OS-DCF:diskConfig": server.disk_config,
    });
    if ["ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"].contains(&words.status) {
        view["progress"] = json!(0);
    }
    if let Some(note) = &server.fault
        && ["ERROR", "DELETED"].contains(&words.status)
    {
        view["fault"] = fault(note, sight.extended);
    }
    if v(19) {
        view["description"] = json!(server.description);
    }
    if v(9) {
        view["locked"] = json!(server.locked_by.is_some());
    }
    if v(73) {
        view["locked_reason"] = json!(server.locked_reason);
    }
    if v(26) {
        view["tags"] = json!(server.tags);
    }
    if v(63) {
        view["trusted_image_certificates"] = Value::Null;
    }
    if v(90) || (v(3) && sight.extended && answer != Answer::Update) {
        view["OS-EXT-SRV-ATTR:hostname"] = json!(server.hostname);
    }
    if v(71) && answer != Answer::List {
        view["server_groups"] = json!([]);
    }
    if v(96) {
        view["pinned_availability_zone"] = json!(server.zone);
    }
    if answer == Answer::Update && !v(75) {
        return view;
    }
    view["OS-EXT-AZ:availability_zone"] = json!(zone(server));
    view["config_drive"] = json!(if server.config_drive { "True" } else { "" });
    view["key_name"] = json!(server.key_name);
    view["OS-SRV-USG:launched_at"] = json!(server.launched_at.map(|at| at.naive_micros()));
    view["OS-SRV-USG:terminated_at"] = json!(server.deleted_at.map(|at| at.naive_micros()));
    let groups = security_groups(server, ports);
    if !groups.is_empty() {
        view["security_groups"] = json!(groups.iter().map(|name| json!({"name": name})).collect::<Vec<_>>());
    }
    view["OS-EXT-STS:task_state"] = json!(words.task_state);
    view["OS-EXT-STS:vm_state"] = json!(words.vm_state);
    view["OS-EXT-STS:power_state"] = json!(words.power_state);
    view["os-extended-volumes:volumes_attached"] = json!([]);
    if sight.extended {
        extended(cx, server, &mut view);
    }
    if sight.host_status {
        view["host_status"] = json!(host_status(sight, server));
    }
    view
}

fn extended(cx: &Cx, server: &Server, view: &mut Value) {
    view["OS-EXT-SRV-ATTR:host"] = json!(server.host);
    view["OS-EXT-SRV-ATTR:instance_name"] = json!(server.instance_name());
    view["OS-EXT-SRV-ATTR:hypervisor_hostname"] = json!(server.host);
    if at_least(cx.version, 3) {
        view["OS-EXT-SRV-ATTR:reservation_id"] = json!(server.reservation_id);
        view["OS-EXT-SRV-ATTR:launch_index"] = json!(server.launch_index);
        view["OS-EXT-SRV-ATTR:hostname"] = json!(server.hostname);
        view["OS-EXT-SRV-ATTR:kernel_id"] = json!("");
        view["OS-EXT-SRV-ATTR:ramdisk_id"] = json!("");
        view["OS-EXT-SRV-ATTR:root_device_name"] = json!("/dev/vda");
        view["OS-EXT-SRV-ATTR:user_data"] = json!(server.user_data.as_ref().map(|data| data.reveal()));
    }
}

fn flavor(cx: &Cx, sight: &Sight, server: &Server) -> Value {
    if !at_least(cx.version, 47) {
        return json!({"id": server.flavor_id, "links": [links::bookmark(cx, "flavors", server.flavor_id.as_str())]});
    }
    let size = &server.flavor;
    let mut view = json!({
        "vcpus": size.vcpus,
        "ram": size.memory_mb,
        "disk": size.disk_gb,
        "ephemeral": size.ephemeral_gb,
        "swap": size.swap_mb,
        "original_name": size.name,
    });
    if sight.extra_specs {
        view["extra_specs"] = json!(size.extra_specs);
    }
    view
}

/// By network, each address with its kind and the Ethernet address behind it.
pub(super) fn addresses(ports: &[PortFacts]) -> Value {
    let mut networks = Map::new();
    for port in ports {
        let list = networks.entry(port.network_name.clone()).or_insert_with(|| json!([]));
        let Value::Array(list) = list else { continue };
        let fixed = port.fixed_ips.iter().map(|ip| (ip.address, "fixed"));
        let floating = port.floating_ips.iter().map(|ip| (ip.address, "floating"));
        for (address, kind) in fixed.chain(floating) {
            list.push(json!({
                "version": if address.is_ipv4() { 4 } else { 6 },
                "addr": address.to_string(),
                "OS-EXT-IPS:type": kind,
                "OS-EXT-IPS-MAC:mac_addr": port.mac.to_string(),
            }));
        }
    }
    Value::Object(networks)
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
