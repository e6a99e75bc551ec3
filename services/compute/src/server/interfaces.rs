// SPDX-License-Identifier: Apache-2.0
//! The NICs of a server, with their addresses.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use contracts::ports::PortFacts;
use http::StatusCode;
use serde_json::{Map, Value, json};
use types::ServerId;

use super::{
    Server,
    claim::{self, Claim},
    operation::Operation,
    state::Found,
    table,
    view::{self, Address},
};
use crate::{Compute, error::Result, input::Read, versions::at_least};

pub(super) async fn ips(room: Arc<Compute>, cx: Cx) -> Reply {
    let (_, ports) = look(&room, &cx).await?;
    api::json(StatusCode::OK, &json!({"addresses": plain(&ports)}))
}

pub(super) async fn ips_of_network(room: Arc<Compute>, cx: Cx) -> Reply {
    let (_, ports) = look(&room, &cx).await?;
    let network = cx.param("network");
    match plain(&ports).get(network) {
        Some(list) => api::json(StatusCode::OK, &json!({network: list})),
        None => Err(Fault::not_found("Instance is not a member of specified network")),
    }
}

pub(super) async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let (server, ports) = look(&room, &cx).await?;
    let claims = claims(&room, &server).await?;
    let views: Vec<Value> = ports.iter().map(|port| interface(&cx, &server, port, &claims)).collect();
    api::json(StatusCode::OK, &json!({"interfaceAttachments": views}))
}

pub(super) async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (server, ports) = look(&room, &cx).await?;
    let claims = claims(&room, &server).await?;
    let id = cx.param("port");
    let port = ports.iter().find(|port| port.id.as_str() == id);
    let port = port.ok_or_else(|| Fault::not_found(format!("Instance {} does not have port with id {id}", server.id)))?;
    api::json(StatusCode::OK, &json!({"interfaceAttachment": interface(&cx, &server, port, &claims)}))
}

async fn look(room: &Compute, cx: &Cx) -> Read<(Server, Vec<PortFacts>)> {
    let (allowed, id) = (cx.allowed()?.clone(), ServerId::new(cx.param("id")));
    let server = room.store.read(move |tx| table::get(tx, &allowed, &id)).await?;
    let ports = view::ports(room, std::slice::from_ref(&server)).await?.remove(&server.id).unwrap_or_default();
    Ok((server, ports))
}

async fn claims(room: &Compute, server: &Server) -> Result<Vec<Claim>> {
    let id = server.id.clone();
    room.store.read(move |tx| claim::of_server(tx, &id)).await
}

pub(super) fn interface(cx: &Cx, server: &Server, port: &PortFacts, claims: &[Claim]) -> Value {
    let fixed: Vec<Value> =
        port.fixed_ips.iter().map(|ip| json!({"ip_address": ip.address.to_string(), "subnet_id": ip.subnet_id})).collect();
    let mut view = json!({
        "port_id": port.id,
        "net_id": port.network_id,
        "mac_addr": port.mac.to_string(),
        "port_state": if carries_traffic(server, port) { "ACTIVE" } else { "DOWN" },
        "fixed_ips": fixed,
    });
    if at_least(cx.version, 70) {
        let nic = claims.iter().filter_map(|claim| claim.nic.as_ref()).find(|nic| nic.port_id == port.id);
        view["tag"] = json!(nic.and_then(|nic| nic.tag.clone()));
    }
    view
}

/// A NIC does while its machine runs and has it.
fn carries_traffic(server: &Server, port: &PortFacts) -> bool {
    let changes = server.open().and_then(Operation::nic) == Some(&port.id);
    server.found == Some(Found::Running) && !changes
}

/// `/ips` tells of addresses only.
fn plain(ports: &[PortFacts]) -> Map<String, Value> {
    let plain = |address: Address| json!({"version": address.version, "addr": address.addr});
    let networks = view::addresses(ports).into_iter();
    networks.map(|(network, list)| (network.to_owned(), list.into_iter().map(plain).collect())).collect()
}
