// SPDX-License-Identifier: Apache-2.0
//! The first things in a new cloud, made through the public APIs: an image, an external network that the host itself
//! reaches, a tenant's network behind a router, and a machine with an address. Everything is found by its name before
//! it is made, so that a run that was interrupted is taken up. Once all is made nothing of it is made again: see `first`.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    object, page,
    progress::{Outcome, step},
};
use crate::client::Client;

pub struct Demo<'a> {
    pub admin: &'a Client,
    pub tenant: &'a Client,
    pub guest_image: Option<&'a Path>,
    /// The host's own address on the external network, and that network, e.g. `172.24.4.1` and `172.24.4.0/24`.
    pub host_address: &'a str,
    pub external_cidr: &'a str,
    pub private_key: &'a Path,
}

/// What was made.
pub struct Made {
    pub machine: Machine,
    /// The path of an object that everybody may read.
    pub object: String,
}

pub struct Machine {
    pub id: String,
    pub name: String,
    pub fixed: String,
    pub floating: String,
}

/// Floating addresses begin here; those before are left for the host and what it may want to place there.
const FIRST_FLOATING: u8 = 10;
const BOOT_PATIENCE: Duration = Duration::from_secs(180);
const FLAVOR: &str = "m1.micro";

impl Demo<'_> {
    pub async fn ensure(&self) -> anyhow::Result<Option<Made>> {
        let image = step("the guest image", self.image()).await?;
        let external = step("the external network `external`", self.external()).await?;
        let inner = step("the tenant's network `demo`", self.network()).await?;
        step("the router `demo`", self.router(&external, &inner.subnet)).await?;
        step("the rules that let ssh, http and ping in", self.rules()).await?;
        step("the key pair `demo`", self.keypair()).await?;
        let object = step("an object that everybody may read", object::ensure(self.tenant, &self.project().await?)).await?;
        let Some(image) = image else { return Ok(None) };
        let volume = step("the volume `demo`", page::volume(self.tenant)).await?;
        let server = step("the machine `demo`", self.server(&image, &inner.network, &volume)).await?;
        let machine = step("its floating address", self.floating(&external, &server)).await?;
        Ok(Some(Made { machine, object }))
    }

    async fn image(&self) -> anyhow::Result<Outcome<Option<String>>> {
        let found = self.admin.get("/image/v2/images?name=small-guest&visibility=public").await?;
        let images = found["images"].as_array().cloned().unwrap_or_default();
        if let Some(image) = images.iter().find(|image| image["status"] == "active") {
            return Ok(Outcome::Found(Some(text(&image["id"])?)));
        }
        let Some(path) = self.guest_image else { return Ok(Outcome::Found(None)) };
        // A run that was killed between create and upload leaves a queued image: it is used.
        let id = match images.iter().find(|image| image["status"] == "queued") {
            Some(image) => text(&image["id"])?,
            None => {
                let ask = json!({"name": "small-guest", "disk_format": "qcow2", "container_format": "bare",
                    "visibility": "public", "min_ram": 96});
                text(&self.admin.post("/image/v2/images", ask).await?["id"])?
            }
        };
        self.admin.upload(&format!("/image/v2/images/{id}/file"), path, |_| {}).await?;
        Ok(Outcome::Made(Some(id)))
    }

    async fn external(&self) -> anyhow::Result<Outcome<String>> {
        let mut made = false;
        let found = first(self.admin, "/network/v2.0/networks?name=external&router:external=true", "networks").await?;
        let network = match found {
            Some(network) => text(&network["id"])?,
            None => {
                made = true;
                let ask = json!({"network": {"name": "external", "router:external": true,
                    "provider:network_type": "flat", "provider:physical_network": "external"}});
                text(&self.admin.post("/network/v2.0/networks", ask).await?["network"]["id"])?
            }
        };
        if first(self.admin, &format!("/network/v2.0/subnets?network_id={network}"), "subnets").await?.is_none() {
            made = true;
            let stem = self.external_cidr.rsplit_once('.').context("the external network is IPv4")?.0;
            let pool = json!({"start": format!("{stem}.{FIRST_FLOATING}"), "end": format!("{stem}.254")});
            let ask = json!({"subnet": {"network_id": network, "name": "external", "ip_version": 4, "cidr": self.external_cidr,
                "gateway_ip": self.host_address, "enable_dhcp": false, "allocation_pools": [pool]}});
            self.admin.post("/network/v2.0/subnets", ask).await?;
        }
        Ok(Outcome::of(made, network))
    }

    async fn network(&self) -> anyhow::Result<Outcome<Inner>> {
        let mut made = false;
        let project = self.project().await?;
        let path = format!("/network/v2.0/networks?name=demo&project_id={project}");
        let network = match first(self.tenant, &path, "networks").await? {
            Some(network) => text(&network["id"])?,
            None => {
                made = true;
                let ask = json!({"network": {"name": "demo"}});
                text(&self.tenant.post("/network/v2.0/networks", ask).await?["network"]["id"])?
            }
        };
        let path = format!("/network/v2.0/subnets?network_id={network}");
        let subnet = match first(self.tenant, &path, "subnets").await? {
            Some(subnet) => text(&subnet["id"])?,
            None => {
                made = true;
                let ask = json!({"subnet": {"network_id": network, "name": "demo", "ip_version": 4, "cidr": "10.0.0.0/24"}});
                text(&self.tenant.post("/network/v2.0/subnets", ask).await?["subnet"]["id"])?
            }
        };
        Ok(Outcome::of(made, Inner { network, subnet }))
    }

    async fn router(&self, external: &str, subnet: &str) -> anyhow::Result<Outcome<()>> {
        let mut made = false;
        let project = self.project().await?;
        let path = format!("/network/v2.0/routers?name=demo&project_id={project}");
        let router = match first(self.tenant, &path, "routers").await? {
            Some(router) => text(&router["id"])?,
            None => {
                made = true;
                let ask = json!({"router": {"name": "demo", "external_gateway_info": {"network_id": external}}});
                text(&self.tenant.post("/network/v2.0/routers", ask).await?["router"]["id"])?
            }
        };
        let path = format!("/network/v2.0/ports?device_id={router}&device_owner=network:router_interface");
        if first(self.tenant, &path, "ports").await?.is_none() {
            made = true;
            let path = format!("/network/v2.0/routers/{router}/add_router_interface");
            self.tenant.put(&path, json!({"subnet_id": subnet})).await?;
        }
        Ok(Outcome::of(made, ()))
    }

    async fn rules(&self) -> anyhow::Result<Outcome<()>> {
        let mut made = false;
        let project = self.project().await?;
        let path = format!("/network/v2.0/security-groups?name=default&project_id={project}");
        let group = first(self.tenant, &path, "security_groups").await?.context("the project has a security group `default`")?;
        let rules = group["security_group_rules"].as_array().cloned().unwrap_or_default();
        for (protocol, port) in [("tcp", Some(22)), ("tcp", Some(80)), ("icmp", None)] {
            let there = rules.iter().any(|rule| {
                let from_anywhere = rule["remote_group_id"].is_null() && rule["ethertype"] == "IPv4";
                rule["direction"] == "ingress"
                    && from_anywhere
                    && rule["protocol"] == protocol
                    && rule["port_range_min"].as_u64() == port
            });
            if !there {
                made = true;
                let ask = json!({"security_group_rule": {"security_group_id": group["id"], "direction": "ingress",
                    "ethertype": "IPv4", "protocol": protocol, "port_range_min": port, "port_range_max": port}});
                self.tenant.post("/network/v2.0/security-group-rules", ask).await?;
            }
        }
        Ok(Outcome::of(made, ()))
    }

    async fn keypair(&self) -> anyhow::Result<Outcome<()>> {
        let public = self.private_key.with_extension("pub");
        if !self.private_key.exists() || !public.exists() {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "ferrostack-demo", "-f"]).arg(self.private_key);
            let status = keygen.status().context("run ssh-keygen (package openssh-client)")?;
            if !status.success() {
                bail!("ssh-keygen made no key at {}", self.private_key.display());
            }
        }
        let mine = fs::read_to_string(&public).with_context(|| format!("read {}", public.display()))?;
        if let Ok(found) = self.tenant.get("/compute/v2.1/os-keypairs/demo").await {
            if found["keypair"]["public_key"].as_str().map(str::trim) == Some(mine.trim()) {
                return Ok(Outcome::Found(()));
            }
            self.tenant.delete("/compute/v2.1/os-keypairs/demo").await?;
        }
        let ask = json!({"keypair": {"name": "demo", "public_key": mine.trim()}});
        self.tenant.post("/compute/v2.1/os-keypairs", ask).await?;
        Ok(Outcome::Made(()))
    }

    async fn server(&self, image: &str, network: &str, volume: &str) -> anyhow::Result<Outcome<Value>> {
        let mut made = false;
        let found = self.tenant.get("/compute/v2.1/servers?name=demo").await?;
        let servers = found["servers"].as_array().cloned().unwrap_or_default();
        let id = match servers.iter().find(|server| server["name"] == "demo") {
            Some(server) => text(&server["id"])?,
            None => {
                made = true;
                let flavors = self.tenant.get("/compute/v2.1/flavors").await?;
                let flavors = flavors["flavors"].as_array().cloned().unwrap_or_default();
                let flavor = flavors
                    .iter()
                    .find(|flavor| flavor["name"] == FLAVOR)
                    .or(flavors.first())
                    .context("the cloud has a flavor")?;
                let ask = json!({"server": {"name": "demo", "imageRef": image, "flavorRef": flavor["id"], "key_name": "demo",
                    "networks": [{"uuid": network}], "block_device_mapping_v2": page::disks(image, volume),
                    "user_data": BASE64.encode(page::user_data(volume))}});
                text(&self.tenant.post("/compute/v2.1/servers", ask).await?["server"]["id"])?
            }
        };
        let deadline = Instant::now() + BOOT_PATIENCE;
        loop {
            let server = self.tenant.get(&format!("/compute/v2.1/servers/{id}")).await?["server"].take();
            match server["status"].as_str() {
                Some("BUILD") if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
                Some("BUILD") => bail!("it did not start in {} s; `ferrostack status` may know why", BOOT_PATIENCE.as_secs()),
                Some("ERROR") => bail!("it is in ERROR: {}", server["fault"]["message"].as_str().unwrap_or("no cause was given")),
                Some("ACTIVE") => return Ok(Outcome::of(made, server)),
                status => {
                    let how = format!("it is {}", status.unwrap_or("in no known state"));
                    return Ok(Outcome::Otherwise(server, how));
                }
            }
        }
    }

    async fn floating(&self, external: &str, server: &Value) -> anyhow::Result<Outcome<Machine>> {
        let id = text(&server["id"])?;
        let path = format!("/network/v2.0/ports?device_id={id}");
        let port = first(self.tenant, &path, "ports").await?.context("the machine has a port")?;
        let port_id = text(&port["id"])?;
        let fixed = text(&port["fixed_ips"][0]["ip_address"])?;
        let machine = |floating| Machine { id: id.clone(), name: "demo".into(), fixed: fixed.clone(), floating };
        let path = format!("/network/v2.0/floatingips?port_id={port_id}");
        if let Some(floating) = first(self.tenant, &path, "floatingips").await? {
            return Ok(Outcome::Found(machine(text(&floating["floating_ip_address"])?)));
        }
        let ask = json!({"floatingip": {"floating_network_id": external, "port_id": port_id}});
        let made = self.tenant.post("/network/v2.0/floatingips", ask).await?;
        Ok(Outcome::Made(machine(text(&made["floatingip"]["floating_ip_address"])?)))
    }

    async fn project(&self) -> anyhow::Result<String> {
        let found = self.tenant.get("/identity/v3/auth/projects").await?;
        let projects = found["projects"].as_array().cloned().unwrap_or_default();
        let demo = projects.iter().find(|project| project["name"] == "demo").context("the tenant has the project `demo`")?;
        text(&demo["id"])
    }
}

struct Inner {
    network: String,
    subnet: String,
}

async fn first(client: &Client, path: &str, list: &str) -> anyhow::Result<Option<Value>> {
    Ok(client.get(path).await?[list].as_array().and_then(|rows| rows.first().cloned()))
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("an id was expected, not {value}"))
}
