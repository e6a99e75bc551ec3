// SPDX-License-Identifier: Apache-2.0
//! The configuration that `up` writes on its first run: free ports, a free external range, and names of devices that do
//! not clash with a cloud beside this one. Afterwards the file belongs to the operator and is only read.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use anyhow::Context;

use super::{
    island::{Island, OUTSIDE},
    progress::Outcome,
};
use crate::{config::Config, home::Home, secrets};

pub fn ensure(home: &Home) -> anyhow::Result<Outcome<Config>> {
    if home.configuration.exists() {
        return Ok(Outcome::Found(Config::read(&home.configuration)?));
    }
    // It may come to hold the password of a database.
    secrets::write(&home.configuration, &first_configuration(home)?)?;
    Ok(Outcome::Made(Config::read(&home.configuration)?))
}

/// The host's address on the external network and that network, e.g. `172.24.4.1` and `172.24.4.0/24`.
pub fn external(config: &Config) -> anyhow::Result<(String, String)> {
    let physical = config.node.physical_networks.get("external");
    let address = physical
        .and_then(|physical| physical.address.as_deref())
        .context("node.physical_networks.external has no address; use `up --bare` or give it one, e.g. 172.24.4.1/24")?;
    let (host, prefix) =
        address.split_once('/').context("node.physical_networks.external.address is written like 172.24.4.1/24")?;
    let network: ipnet::Ipv4Net =
        address.parse().context("node.physical_networks.external.address is an IPv4 address with a prefix")?;
    Ok((host.to_owned(), format!("{}/{prefix}", network.network())))
}

fn first_configuration(home: &Home) -> anyhow::Result<String> {
    let ports = free_ports(2)?;
    let (api, fleet) = (ports[0], ports[1]);
    let range = free_external();
    let (fleet_address, node, external) = if home.is_default() {
        ("127.0.0.1".to_owned(), String::new(), format!(r#"bridge = "br-external", address = "{range}.1/24""#))
    } else {
        let island = Island::of(home);
        let node = format!(
            "# A cloud beside another has its switch in a network namespace of its own.\nnamespace = \"{}\"\nencap_ip = \"{}\"\n",
            island.namespace, island.agent
        );
        let device = island.outside;
        let external =
            format!(r#"bridge = "br-external", nic = "{OUTSIDE}", address = "{range}.1/24", host_device = "{device}""#);
        (island.controller.to_string(), node, external)
    };
    Ok(format!(
        r#"# Written by `ferrostack up` on its first run; yours from now on. Every setting that is not here has its default:
# see the operator's guide.

[api]
# Loopback until you open it. Set a certificate and a private_key (PEM files) before you do: passwords travel here.
listen = "127.0.0.1:{api}"

[fleet]
# Where the agents of hosts connect, with mutual TLS. To grow beyond this host, listen on an address that others reach.
listen = "{fleet_address}:{fleet}"

[network.physical_networks]
# Networks outside the cloud, and the VLANs that may be used on them.
external = {{ first_vlan = 1, last_vlan = 4094 }}

[node]
{node}
[node.physical_networks]
# Inside this host only: no NIC is touched. Add nic = "eth1" to give a bridge a way out.
external = {{ {external} }}
"#
    ))
}

/// The first ports from 8080 on that nobody listens on.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let free: Vec<u16> =
        (8080..9000).filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).take(count).collect();
    if free.len() < count {
        anyhow::bail!("no free TCP port between 8080 and 9000");
    }
    Ok(free)
}

/// `172.24.4`, or the first range after it that no route of this host leads to.
fn free_external() -> String {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let taken: Vec<String> =
        routes.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect();
    let is_free = |third: &u8| !taken.contains(&format!("{:02X}{third:02X}{:02X}{:02X}", 0, 24, 172));
    let third = (4..=250).find(is_free).unwrap_or(4);
    format!("172.24.{third}")
}
