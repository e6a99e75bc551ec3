// SPDX-License-Identifier: Apache-2.0
//! OVN_Southbound, read only: which chassis there are, and where ports are bound. ovn-northd and the chassis write it.

use std::collections::BTreeMap;

use tokio::time::Instant;
use uuid::Uuid;

use crate::Result;
use crate::ovsdb::{Client, Remote, Replica, Row, Watched};

/// A connection to the southbound database.
#[derive(Clone, Debug)]
pub struct Southbound {
    client: Client,
}

/// A host that runs ovn-controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chassis {
    /// Its `system-id`.
    pub name: String,
    pub hostname: String,
    pub encaps: Vec<Encap>,
    /// Physical networks and the bridges that lead to them.
    pub bridge_mappings: BTreeMap<String, String>,
    /// How many northbound sequence numbers it has not confirmed. OVN has no heartbeat: ask for a confirmation with
    /// `Northbound::ask_hypervisors`; a chassis that stays behind is dead or stuck.
    pub behind: i64,
    /// When it last confirmed one, in milliseconds since 1970.
    pub confirmed_at_ms: Option<i64>,
}

/// A tunnel end of a chassis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Encap {
    /// `geneve`, `vxlan` or `stt`.
    pub kind: String,
    pub ip: String,
}

/// Where a logical port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortBinding {
    /// The `name` of the port in the northbound database.
    pub logical_port: String,
    /// Empty for a machine's port; else `patch`, `localnet`, `chassisredirect`, …
    pub kind: String,
    /// The name of the chassis that claimed it.
    pub chassis: Option<String>,
    /// Whether that chassis has put all of its flows in place.
    pub up: bool,
}

/// What OVN knows of the service at one end of a load balancer that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitored {
    pub logical_port: String,
    pub ip: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    pub port: i64,
    /// `online`, `offline` or `error`; empty before the first answer.
    pub status: String,
}

impl Southbound {
    /// Starts connecting. Several remotes are the members of one cluster.
    pub fn connect(remotes: Vec<Remote>) -> Self {
        let watched = Watched::new("OVN_Southbound")
            .columns("SB_Global", &["nb_cfg"])
            .columns("Chassis", &["name", "hostname", "encaps", "external_ids", "other_config"])
            .columns("Chassis_Private", &["name", "nb_cfg", "nb_cfg_timestamp"])
            .columns("Encap", &["type", "ip"])
            .columns("Port_Binding", &["logical_port", "type", "chassis", "up"])
            .columns("Service_Monitor", &["ip", "protocol", "port", "logical_port", "status"]);
        Self { client: Client::connect(remotes, watched) }
    }

    /// The connection, to wait on its changes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the database is reached and known.
    pub async fn ready(&self, deadline: Instant) -> Result<()> {
        self.client.ready(deadline).await
    }

    /// All chassis, by name.
    pub fn chassis(&self) -> Result<Vec<Chassis>> {
        self.client.read_current(|replica| {
            let mut found: Vec<Chassis> = replica.rows("Chassis").map(|(_, row)| chassis(replica, row)).collect();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            found
        })
    }

    /// Waits until a chassis of this name has announced itself.
    pub async fn wait_chassis(&self, name: &str, deadline: Instant) -> Result<Chassis> {
        let look = |replica: &Replica| Some(chassis(replica, replica.named("Chassis", name)?.1));
        self.client.wait_until(format!("chassis {name}"), deadline, look).await
    }

    /// The bindings of all ports.
    pub fn bindings(&self) -> Result<Vec<PortBinding>> {
        let all = |replica: &Replica| replica.rows("Port_Binding").map(|(_, row)| binding(replica, row)).collect();
        self.client.read_current(all)
    }

    /// The binding of one port, if ovn-northd knows the port.
    pub fn binding(&self, logical_port: &str) -> Result<Option<PortBinding>> {
        self.client.read_current(|replica| find_binding(replica, logical_port))
    }

    /// All services that are checked.
    pub fn monitored(&self) -> Result<Vec<Monitored>> {
        let all = |replica: &Replica| replica.rows("Service_Monitor").map(|(_, row)| monitored(row)).collect();
        self.client.read_current(all)
    }

    /// Waits until a port is up on a chassis, whichever it is.
    pub async fn wait_bound(&self, logical_port: &str, deadline: Instant) -> Result<PortBinding> {
        let bound = |replica: &Replica| {
            let found = find_binding(replica, logical_port)?;
            (found.up && found.chassis.is_some()).then_some(found)
        };
        self.client.wait_until(format!("logical port {logical_port} to be bound"), deadline, bound).await
    }
}

fn chassis(replica: &Replica, row: &Row) -> Chassis {
    let name = row.text("name");
    let private = replica.named("Chassis_Private", name).map(|(_, row)| row);
    let confirmed = private.and_then(|row| row.integer("nb_cfg")).unwrap_or_default();
    let asked = replica.singleton("SB_Global").and_then(|(_, row)| row.integer("nb_cfg"));
    let encap = |uuid: Uuid| {
        let row = replica.row("Encap", uuid)?;
        Some(Encap { kind: row.text("type").to_owned(), ip: row.text("ip").to_owned() })
    };
    let mut encaps: Vec<Encap> = row.references("encaps").into_iter().filter_map(encap).collect();
    encaps.sort();
    // Before OVN 22.06 the mappings stood in external_ids.
    let mappings = ["other_config", "external_ids"].iter().find_map(|column| row.entry(column, "ovn-bridge-mappings"));
    Chassis {
        name: name.to_owned(),
        hostname: row.text("hostname").to_owned(),
        encaps,
        bridge_mappings: parse_mappings(mappings.unwrap_or_default()),
        behind: asked.unwrap_or_default() - confirmed,
        confirmed_at_ms: private.and_then(|row| row.integer("nb_cfg_timestamp")).filter(|at| *at > 0),
    }
}

fn monitored(row: &Row) -> Monitored {
    Monitored {
        logical_port: row.text("logical_port").to_owned(),
        ip: row.text("ip").to_owned(),
        protocol: row.text("protocol").to_owned(),
        port: row.integer("port").unwrap_or_default(),
        status: row.text("status").to_owned(),
    }
}

fn parse_mappings(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once(':'));
    pairs.map(|(network, bridge)| (network.trim().to_owned(), bridge.trim().to_owned())).collect()
}

fn find_binding(replica: &Replica, logical_port: &str) -> Option<PortBinding> {
    let (_, row) = replica.named("Port_Binding", logical_port)?;
    Some(binding(replica, row))
}

fn binding(replica: &Replica, row: &Row) -> PortBinding {
    let chassis = row.references("chassis").first().and_then(|uuid| replica.row("Chassis", *uuid));
    PortBinding {
        logical_port: row.text("logical_port").to_owned(),
        kind: row.text("type").to_owned(),
        chassis: chassis.map(|row| row.text("name").to_owned()),
        up: row.flag("up").unwrap_or_default(),
    }
}
