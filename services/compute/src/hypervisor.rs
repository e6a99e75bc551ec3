// SPDX-License-Identifier: Apache-2.0
//! `/os-hypervisors`: the hosts as the operator sees them, with what is used of them.

use std::{collections::HashMap, sync::Arc};

use access::Policy;
use api::{Cx, Fault, Paging, PagingHabits, Reply, Routes, Shown, attributes};
use contracts::{node::Hello, nodes::NodeFacts, placement::Capacity};
use futures_util::future::try_join;
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use types::{Microversion, NodeId};

use crate::{
    Compute,
    error::{Error, Result},
    input::Read,
    links,
    policy::ADMIN,
    query,
    versions::{at_least, v},
};

access::policies! {
    MAY_LIST = "os_compute_api:os-hypervisors:list", ADMIN, "List hypervisors.";
    MAY_DETAIL = "os_compute_api:os-hypervisors:list-detail", ADMIN, "List hypervisors with details.";
    MAY_SHOW = "os_compute_api:os-hypervisors:show", ADMIN, "Show a hypervisor.";
    MAY_STATISTICS = "os_compute_api:os-hypervisors:statistics", ADMIN, "Show the sums over all hypervisors.";
    MAY_UPTIME = "os_compute_api:os-hypervisors:uptime", ADMIN, "Show the uptime of a hypervisor.";
    MAY_SEARCH = "os_compute_api:os-hypervisors:search", ADMIN, "Search hypervisors by name.";
    MAY_SERVERS = "os_compute_api:os-hypervisors:servers", ADMIN, "List the servers on hypervisors.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("hypervisor", routes).shows(&[("hypervisor", &[BRIEF, WHOLE])]);

const LIST: &str = "/v2.1/os-hypervisors";
const DETAIL: &str = "/v2.1/os-hypervisors/detail";
const STATISTICS: &str = "/v2.1/os-hypervisors/statistics";
const ONE: &str = "/v2.1/os-hypervisors/{id}";
const UPTIME: &str = "/v2.1/os-hypervisors/{id}/uptime";
const SEARCH: &str = "/v2.1/os-hypervisors/{id}/search";
const SERVERS: &str = "/v2.1/os-hypervisors/{id}/servers";
const HABITS: PagingHabits = PagingHabits { max: 1000, default: Some(1000), default_sort: &[] };

/// A host with what placement and our own tables know of it.
struct Host {
    node: NodeFacts,
    capacity: Option<Capacity>,
    servers: Vec<(String, String)>,
}

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(LIST, &MAY_LIST, list)
        .get(DETAIL, &MAY_DETAIL, list_detail)
        .get(STATISTICS, &MAY_STATISTICS, statistics)
        .until(v(87))
        .get(ONE, &MAY_SHOW, show)
        .get(UPTIME, &MAY_UPTIME, uptime)
        .until(v(87))
        .get(SEARCH, &MAY_SEARCH, search)
        .until(v(52))
        .get(SERVERS, &MAY_SERVERS, servers)
        .until(v(52))
}

/// The number by which clients before 2.53 know a host or its service.
pub(crate) fn number(node: &NodeId) -> u32 {
    let digits: String = node.as_str().chars().filter(char::is_ascii_hexdigit).take(8).collect();
    (u32::from_str_radix(&digits, 16).unwrap_or_default() & 0x7fff_ffff).max(1)
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    page(&room, &cx, brief).await
}

async fn list_detail(room: Arc<Compute>, cx: Cx) -> Reply {
    page(&room, &cx, full).await
}

async fn page(room: &Compute, cx: &Cx, view: fn(&Cx, &Host) -> Value) -> Reply {
    if at_least(cx.version, 75) {
        query::only(cx, &["hypervisor_hostname_pattern", "with_servers"])?;
    }
    let paging = Paging::read(cx.query(), &HABITS)?;
    let mut hosts = hosts(room).await?;
    if let Some(part) = cx.query().get("hypervisor_hostname_pattern").filter(|_| at_least(cx.version, 53)) {
        hosts.retain(|host| host.node.hostname.contains(part));
        if hosts.is_empty() {
            return Err(Fault::not_found(format!("No hypervisor matching '{part}' could be found.")));
        }
    }
    let paged = at_least(cx.version, 33);
    if paged {
        hosts = after_marker(cx, &paging, hosts)?;
    }
    let views: Vec<Value> = hosts.iter().map(|host| with_servers(cx, host, view(cx, host))).collect();
    let mut document = json!({"hypervisors": views});
    let last = hosts.last().map(|host| id(cx, &host.node)).map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    if paged && let Some(next) = links::next(cx, &paging, hosts.len(), last.as_deref()) {
        document["hypervisors_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

/// Hosts are few and sorted by id: pages are cut here.
fn after_marker(cx: &Cx, paging: &Paging, mut hosts: Vec<Host>) -> Read<Vec<Host>> {
    if let Some(marker) = &paging.marker {
        let place = hosts.iter().position(|host| is_called(cx, &host.node, marker));
        let place = place.ok_or_else(|| Fault::bad_request(format!("marker [{marker}] not found")))?;
        hosts.drain(..=place);
    }
    hosts.truncate(paging.limit.unwrap_or(usize::MAX));
    Ok(hosts)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let host = find(&room, &cx).await?;
    api::json(StatusCode::OK, &json!({"hypervisor": with_servers(&cx, &host, full(&cx, &host))}))
}

async fn uptime(room: Arc<Compute>, cx: Cx) -> Reply {
    find(&room, &cx).await?;
    Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "Virt driver does not implement uptime function."))
}

async fn search(room: Arc<Compute>, cx: Cx) -> Reply {
    let hosts = matching(&room, &cx).await?;
    let views: Vec<Value> = hosts.iter().map(|host| brief(&cx, host)).collect();
    api::json(StatusCode::OK, &json!({"hypervisors": views}))
}

async fn servers(room: Arc<Compute>, cx: Cx) -> Reply {
    let hosts = matching(&room, &cx).await?;
    let view = |host: &Host| {
        let mut view = brief(&cx, host);
        if !host.servers.is_empty() {
            view["servers"] = servers_view(host);
        }
        view
    };
    api::json(StatusCode::OK, &json!({"hypervisors": hosts.iter().map(view).collect::<Vec<_>>()}))
}

async fn statistics(room: Arc<Compute>, _cx: Cx) -> Reply {
    let hosts = hosts(&room).await?;
    let sum = |of: fn(&Host) -> i64| hosts.iter().map(of).sum::<i64>();
    let statistics = json!({
        "count": hosts.len(),
        "current_workload": 0,
        "disk_available_least": sum(|host| host.free("DISK_GB")),
        "free_disk_gb": sum(|host| host.free("DISK_GB")),
        "free_ram_mb": sum(|host| host.free("MEMORY_MB")),
        "local_gb": sum(|host| host.total("DISK_GB")),
        "local_gb_used": sum(|host| host.used("DISK_GB")),
        "memory_mb": sum(|host| host.total("MEMORY_MB")),
        "memory_mb_used": sum(|host| host.used("MEMORY_MB")),
        "running_vms": sum(|host| host.servers.len() as i64),
        "vcpus": sum(|host| host.total("VCPU")),
        "vcpus_used": sum(|host| host.used("VCPU")),
    });
    api::json(StatusCode::OK, &json!({"hypervisor_statistics": statistics}))
}

async fn matching(room: &Compute, cx: &Cx) -> Read<Vec<Host>> {
    let part = cx.param("id");
    let mut hosts = hosts(room).await?;
    hosts.retain(|host| host.node.hostname.contains(part));
    if hosts.is_empty() {
        return Err(Fault::not_found(format!("No hypervisor matching '{part}' could be found.")));
    }
    Ok(hosts)
}

async fn find(room: &Compute, cx: &Cx) -> Read<Host> {
    let wanted = cx.param("id");
    if at_least(cx.version, 53) && uuid::Uuid::try_parse(wanted).is_err() {
        return Err(Fault::bad_request(format!("Invalid uuid {wanted}")));
    }
    let found = hosts(room).await?.into_iter().find(|host| is_called(cx, &host.node, wanted));
    found.ok_or_else(|| Fault::not_found(format!("Hypervisor with ID '{wanted}' could not be found.")))
}

async fn hosts(room: &Compute) -> Result<Vec<Host>> {
    let (mut nodes, capacities) = try_join(room.nodes.list(), room.placement.capacities()).await?;
    let mut servers: HashMap<NodeId, Vec<(String, String)>> = room
        .store
        .list(|tx| -> Result<_> {
            let mut servers: HashMap<NodeId, Vec<(String, String)>> = HashMap::new();
            let sql =
                "SELECT node_id, id, seq FROM servers WHERE deleted_at IS NULL AND node_id IS NOT NULL ORDER BY created_at, id";
            for row in &tx.query(sql, &[])? {
                let name = format!("instance-{:08x}", row.get::<i64>(2)?);
                servers.entry(row.get(0)?).or_default().push((row.get(1)?, name));
            }
            Ok::<_, Error>(servers)
        })
        .await?;
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(nodes
        .into_iter()
        .map(|node| Host {
            capacity: capacities.iter().find(|capacity| capacity.provider.as_str() == node.id.as_str()).cloned(),
            servers: servers.remove(&node.id).unwrap_or_default(),
            node,
        })
        .collect())
}

impl Host {
    fn total(&self, class: &str) -> i64 {
        self.capacity.as_ref().and_then(|capacity| capacity.total.get(class)).copied().unwrap_or(0)
    }

    fn free(&self, class: &str) -> i64 {
        self.capacity.as_ref().and_then(|capacity| capacity.free.get(class)).copied().unwrap_or(0)
    }

    fn used(&self, class: &str) -> i64 {
        (self.total(class) - self.free(class)).max(0)
    }
}

fn id(cx: &Cx, node: &NodeFacts) -> Value {
    if at_least(cx.version, 53) { json!(node.id) } else { json!(number(&node.id)) }
}

fn is_called(cx: &Cx, node: &NodeFacts, text: &str) -> bool {
    if at_least(cx.version, 53) { node.id.as_str() == text } else { number(&node.id).to_string() == text }
}

/// A hypervisor in the eyes of a request.
struct View<'a> {
    cx: &'a Cx,
    host: &'a Host,
    is_whole: bool,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, _: &'static Policy) -> bool {
        true
    }
}

attributes! {
    /// What a plain list tells of a hypervisor.
    BRIEF, fn briefly(it: &View<'_>);
    "id" until(v(52)) => number(&it.host.node.id),
    "id" since(v(53)) => it.host.node.id,
    "hypervisor_hostname" => it.host.node.hostname,
    "state" => if it.host.node.up { "up" } else { "down" },
    "status" => if it.host.node.disabled { "disabled" } else { "enabled" },
}

attributes! {
    /// What is told beside that. From 2.88 on the sums are placement's to tell.
    WHOLE, fn wholly(it: &View<'_>);
    "hypervisor_type" => "QEMU",
    "hypervisor_version" => it.hello().map_or(0, |hello| version_number(&hello.hypervisor_version)),
    "host_ip" => it.hello().map(|hello| hello.encap_ip.to_string()),
    "service" => service(it.cx, it.host),
    // The agent does not tell it.
    "uptime" since(v(88)) => (),
    "cpu_info" until(v(27)) => cpu(it.host).to_string(),
    "cpu_info" since(v(28)) until(v(87)) => cpu(it.host),
    "current_workload" until(v(87)) => 0,
    "disk_available_least" until(v(87)) => it.host.free("DISK_GB"),
    "free_disk_gb" until(v(87)) => it.host.free("DISK_GB"),
    "free_ram_mb" until(v(87)) => it.host.free("MEMORY_MB"),
    "local_gb" until(v(87)) => it.host.total("DISK_GB"),
    "local_gb_used" until(v(87)) => it.host.used("DISK_GB"),
    "memory_mb" until(v(87)) => it.host.total("MEMORY_MB"),
    "memory_mb_used" until(v(87)) => it.host.used("MEMORY_MB"),
    "running_vms" until(v(87)) => it.host.servers.len(),
    "vcpus" until(v(87)) => it.host.total("VCPU"),
    "vcpus_used" until(v(87)) => it.host.used("VCPU"),
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        briefly(self, &mut map)?;
        if self.is_whole {
            wholly(self, &mut map)?;
        }
        map.end()
    }
}

impl View<'_> {
    fn hello(&self) -> Option<&Hello> {
        self.host.node.hello.as_ref()
    }
}

fn brief(cx: &Cx, host: &Host) -> Value {
    json!(View { cx, host, is_whole: false })
}

fn full(cx: &Cx, host: &Host) -> Value {
    json!(View { cx, host, is_whole: true })
}

fn service(cx: &Cx, host: &Host) -> Value {
    json!({"id": id(cx, &host.node), "host": host.node.hostname, "disabled_reason": host.node.disabled_reason})
}

fn cpu(host: &Host) -> Value {
    let arch = host.node.hello.as_ref().map(|hello| hello.cpu_arch.clone()).unwrap_or_default();
    let topology = json!({"cores": host.total("VCPU"), "sockets": 1, "threads": 1});
    json!({"arch": arch, "model": "", "vendor": "", "topology": topology, "features": []})
}

/// From 2.53 on the servers come with `with_servers`; an empty list is shown from 2.75 on only.
fn with_servers(cx: &Cx, host: &Host, mut view: Value) -> Value {
    let asked = at_least(cx.version, 53) && cx.query().flag("with_servers").ok().flatten().unwrap_or(false);
    if asked && (at_least(cx.version, 75) || !host.servers.is_empty()) {
        view["servers"] = servers_view(host);
    }
    view
}

fn servers_view(host: &Host) -> Value {
    json!(host.servers.iter().map(|(id, name)| json!({"uuid": id, "name": name})).collect::<Vec<_>>())
}

/// Nova's number for a version: 10.0.2 is 10000002.
fn version_number(text: &str) -> i64 {
    let digits = text.split(|c: char| !c.is_ascii_digit() && c != '.').find(|part| !part.is_empty()).unwrap_or_default();
    let mut parts = digits.split('.').map(|part| part.parse::<i64>().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0).min(999_999);
    part() * 1_000_000 + part() * 1000 + part()
}
