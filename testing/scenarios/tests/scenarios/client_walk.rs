// SPDX-License-Identifier: Apache-2.0
//! The stock `openstack` client walks through a tenant's day, from a login to an empty project.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Host, KeyPair, wait_until};
use scenarios::{BOOT, Cloud, OpenStack};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn client_walk() -> Result<()> {
    let cloud = Cloud::with_hosts(&["hv1"])?;
    let office = cloud.lab.lan_host("office", None, "172.24.4.1/24")?;
    let key = KeyPair::generate(cloud.lab.folder(), "key")?;
    let operator = OpenStack::new(&cloud.central, &cloud.admin)?;
    let tenant = OpenStack::new(&cloud.central, &cloud.tenant("walker")?)?;

    identity(&operator, &tenant)?;
    images_and_flavors(&operator)?;
    networks(&operator, &tenant)?;
    server(&tenant, &office, &key)?;
    everything_goes(&operator, &tenant)?;
    cloud.wait_for_clean_audit()?;
    cloud.passed()
}

fn identity(operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    let token = tenant.json("token issue")?;
    ensure!(token["id"].is_string() && token["expires"].is_string() && token["project_id"].is_string(), "{token}");
    let catalog = operator.json("catalog list")?.to_string();
    for service in ["identity", "image", "network", "compute", "placement"] {
        ensure!(catalog.contains(service), "the catalog lacks {service}: {catalog}");
    }
    Ok(())
}

fn images_and_flavors(operator: &OpenStack) -> Result<()> {
    let file = lab::guest_image()?.display().to_string();
    operator.run(&format!("image create --public --disk-format qcow2 --container-format bare --file {file} small"))?;
    let image = operator.json("image show small")?;
    ensure!(image["status"] == "active" && image["disk_format"] == "qcow2", "{image}");
    operator.run("flavor create --ram 192 --disk 1 --vcpus 1 walk")?;
    let flavors = operator.json("flavor list")?.to_string();
    ensure!(flavors.contains("walk") && flavors.contains("m1.tiny"), "{flavors}");
    Ok(())
}

fn networks(operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    operator.run("network create --external --provider-network-type flat --provider-physical-network lan external")?;
    operator.run(
        "subnet create --network external --subnet-range 172.24.4.0/24 --gateway 172.24.4.1 --no-dhcp \
         --allocation-pool start=172.24.4.100,end=172.24.4.200 external",
    )?;
    tenant.run("network create inner")?;
    tenant.run("subnet create --network inner --subnet-range 192.168.66.0/24 --dns-nameserver 172.24.4.1 inner")?;
    tenant.run("router create walk")?;
    tenant.run("router set --external-gateway external walk")?;
    tenant.run("router add subnet walk inner")?;
    let router = tenant.json("router show walk")?;
    ensure!(router["status"] == "ACTIVE" && router["external_gateway_info"].is_object(), "{router}");
    tenant.run("security group create doors")?;
    tenant.run("security group rule create --protocol tcp --dst-port 22 doors")?;
    tenant.run("security group rule create --protocol icmp doors")?;
    let rules = tenant.json("security group rule list doors")?;
    ensure!(rules.as_array().is_some_and(|rules| rules.len() == 4), "two of ours and two that let everything out: {rules}");
    Ok(())
}

fn server(tenant: &OpenStack, office: &Host, key: &KeyPair) -> Result<()> {
    let public = key.private().with_extension("pub").display().to_string();
    tenant.run(&format!("keypair create --public-key {public} walker"))?;
    tenant
        .run("server create --wait --image small --flavor walk --network inner --security-group doors --key-name walker walk")?;
    let server = tenant.json("server show walk")?;
    ensure!(server["status"] == "ACTIVE" && server["addresses"]["inner"].is_array(), "{server}");
    let servers = tenant.json("server list")?.to_string();
    ensure!(servers.contains("ACTIVE") && servers.contains("walk") && servers.contains("small"), "{servers}");

    let floating = tenant.value("floating ip create external", "floating_ip_address")?;
    tenant.run(&format!("server add floating ip walk {floating}"))?;
    let ssh = office.ssh(&floating, key);
    let said = || tenant.run("console log show walk").unwrap_or_else(|error| format!("{error:#}"));
    ssh.wait_until_ready(BOOT).with_context(|| format!("the console says:\n{}", said()))?;
    ensure!(ssh.run("hostname")?.trim() == "walk", "the machine does not know its name");
    ensure!(said().contains("login:"), "the console log lacks the login prompt:\n{}", said());

    tenant.run("server stop walk")?;
    wait_until(
        "the machine to be off",
        Duration::from_secs(90),
        || Ok(tenant.value("server show walk", "status")? == "SHUTOFF"),
    )?;
    tenant.run("server start walk")?;
    ssh.wait_until_ready(BOOT).context("after a stop and a start")?;
    tenant.run(&format!("server remove floating ip walk {floating}"))?;
    wait_until("the floating address to lead nowhere", SOON, || {
        Ok(!office.output(["ping", "-c", "1", "-W", "1", &floating])?.status.success())
    })?;
    tenant.run(&format!("floating ip delete {floating}")).map(drop)
}

fn everything_goes(operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    tenant.run("server delete --wait walk")?;
    tenant.run("router remove subnet walk inner")?;
    tenant.run("router delete walk")?;
    tenant.run("network delete inner")?;
    tenant.run("security group delete doors")?;
    tenant.run("keypair delete walker")?;
    operator.run("network delete external")?;
    operator.run("image delete small")?;
    operator.run("flavor delete walk")?;
    for list in ["server list", "port list", "router list", "network list", "subnet list", "floating ip list", "image list"] {
        let left = tenant.json(list)?;
        ensure!(left.as_array().is_some_and(Vec::is_empty), "openstack {list} still shows {left}");
    }
    Ok(())
}
