// SPDX-License-Identifier: Apache-2.0
//! The things that most scenarios need, made through the public APIs in a few words.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{wait_for, wait_until};
use serde_json::{Value, json};

use crate::Api;

/// An emulated guest on a busy machine, from power to ssh.
pub const BOOT: Duration = Duration::from_secs(180);
/// From the request to QEMU running.
const SPAWN: Duration = Duration::from_secs(90);

/// A server to create.
#[derive(Default)]
pub struct Wanted<'a> {
    pub name: &'a str,
    pub image: &'a str,
    /// Empty for a server without network.
    pub network: &'a str,
    /// A port made before, instead of a new one on a network.
    pub port: &'a str,
    /// Only the operator chooses a host.
    pub host: &'a str,
    pub key: &'a str,
    pub config_drive: bool,
}

pub fn id(thing: &Value) -> Result<String> {
    thing["id"].as_str().map(str::to_owned).with_context(|| format!("a thing with an id, not {thing}"))
}

pub fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("text, not {value}"))
}

impl Api {
    pub fn make_network(&self, name: &str) -> Result<String> {
        id(&self.post("/network/v2.0/networks", &json!({"network": {"name": name}}))?["network"])
    }

    pub fn make_subnet(&self, network: &str, cidr: &str) -> Result<String> {
        let ask = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}});
        id(&self.post("/network/v2.0/subnets", &ask)?["subnet"])
    }

    /// A router between a subnet and an external network.
    pub fn make_router(&self, external: &str, subnet: &str) -> Result<String> {
        let ask = json!({"router": {"external_gateway_info": {"network_id": external}}});
        let router = id(&self.post("/network/v2.0/routers", &ask)?["router"])?;
        self.put(&format!("/network/v2.0/routers/{router}/add_router_interface"), &json!({"subnet_id": subnet}))?;
        Ok(router)
    }

    pub fn make_port(&self, port: Value) -> Result<Value> {
        Ok(self.post("/network/v2.0/ports", &json!({"port": port}))?["port"].take())
    }

    pub fn make_keypair(&self, name: &str, public: &str) -> Result<()> {
        self.post("/compute/v2.1/os-keypairs", &json!({"keypair": {"name": name, "public_key": public}})).map(drop)
    }

    /// Lets a protocol in from anywhere, in the project's default group. The rule's id.
    pub fn allow(&self, protocol: &str, port: Option<u16>) -> Result<String> {
        let groups = self.get("/network/v2.0/security-groups?name=default")?;
        let project = self.project_id()?;
        let groups = groups["security_groups"].as_array().context("a list of groups")?;
        let group = groups.iter().find(|group| group["project_id"] == project).context("the project's default group")?;
        let ask = json!({"security_group_rule": {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4",
            "protocol": protocol, "port_range_min": port, "port_range_max": port}});
        id(&self.post("/network/v2.0/security-group-rules", &ask)?["security_group_rule"])
    }

    pub fn project_id(&self) -> Result<String> {
        let name = &self.account()?.project;
        let projects = self.get("/identity/v3/auth/projects")?;
        let projects = projects["projects"].as_array().context("a list of projects")?;
        id(projects.iter().find(|project| project["name"] == name.as_str()).context("the project of this login")?)
    }

    /// Returns as soon as the server is recorded.
    pub fn create_server(&self, wanted: &Wanted) -> Result<String> {
        let networks = match (wanted.network, wanted.port) {
            ("", "") => json!("none"),
            (network, "") => json!([{"uuid": network}]),
            (_, port) => json!([{"port": port}]),
        };
        let mut ask = json!({"name": wanted.name, "imageRef": wanted.image, "flavorRef": "m1.micro", "networks": networks,
            "config_drive": wanted.config_drive});
        if !wanted.host.is_empty() {
            ask["availability_zone"] = format!("nova:{}", wanted.host).into();
        }
        if !wanted.key.is_empty() {
            ask["key_name"] = wanted.key.into();
        }
        id(&self.post("/compute/v2.1/servers", &json!({"server": ask}))?["server"])
    }

    pub fn server(&self, server: &str) -> Result<Value> {
        Ok(self.get(&format!("/compute/v2.1/servers/{server}"))?["server"].take())
    }

    pub fn wait_for_active(&self, server: &str) -> Result<Value> {
        let outcome = wait_for(&format!("server {server} to be ACTIVE"), SPAWN, || {
            let server = self.server(server)?;
            Ok(match server["status"].as_str() {
                Some("ACTIVE") => Some(Ok(server)),
                Some("ERROR") => Some(Err(server)),
                _ => None,
            })
        })?;
        match outcome {
            Ok(server) => Ok(server),
            Err(server) => bail!("server {} is in ERROR: {}", server["name"], server["fault"]),
        }
    }

    pub fn delete_server(&self, server: &str) -> Result<()> {
        self.delete(&format!("/compute/v2.1/servers/{server}"))
    }

    pub fn wait_until_gone(&self, server: &str) -> Result<()> {
        let path = format!("/compute/v2.1/servers/{server}");
        wait_until(&format!("server {server} to be gone"), SPAWN, || Ok(self.ask("GET", &path, &json!({}))?.status == 404))
    }

    /// The only port of a server.
    pub fn port_of(&self, server: &str) -> Result<Value> {
        let found = self.get(&format!("/network/v2.0/ports?device_id={server}"))?;
        found["ports"].get(0).cloned().with_context(|| format!("server {server} has a port"))
    }

    /// A floating address on the only port of a server.
    pub fn make_floating_ip(&self, external: &str, server: &str) -> Result<String> {
        let port = id(&self.port_of(server)?)?;
        let ask = json!({"floatingip": {"floating_network_id": external, "port_id": port}});
        text(&self.post("/network/v2.0/floatingips", &ask)?["floatingip"]["floating_ip_address"])
    }

    /// What the machine has written to its console, for a message about a machine that does not answer.
    pub fn console(&self, server: &str) -> String {
        let ask = json!({"os-getConsoleOutput": {"length": 30}});
        let said = self.post(&format!("/compute/v2.1/servers/{server}/action"), &ask);
        said.map_or_else(|error| format!("{error:#}"), |said| said["output"].as_str().unwrap_or_default().to_owned())
    }
}

pub fn address(port: &Value) -> Result<String> {
    text(&port["fixed_ips"][0]["ip_address"])
}
