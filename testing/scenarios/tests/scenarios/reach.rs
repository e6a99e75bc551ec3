// SPDX-License-Identifier: Apache-2.0
//! Who reaches a machine, and who does not: floating addresses, rules opened and closed, tenants with the same addresses.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Host, KeyPair, Ssh, wait_until};
use scenarios::{Api, BOOT, Cloud, Wanted, id};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
/// Both tenants' network.
const RANGE: &str = "10.0.0.0/24";

/// A tenant with a machine.
struct Tenant {
    name: &'static str,
    api: Api,
    fixed: &'static str,
    server: String,
    floating: String,
    ssh_rule: String,
}

#[test]
fn reach() -> Result<()> {
    let cloud = Cloud::start()?;
    let office = cloud.lab.lan_host("office", None, "172.24.4.1/24")?;
    let key = KeyPair::generate(cloud.lab.folder(), "key")?;
    let image = cloud.load_guest_image()?;
    let external = cloud.make_external()?;
    let red = make(&cloud, ("red", "10.0.0.50"), &external, &image, &key)?;
    let blue = make(&cloud, ("blue", "10.0.0.60"), &external, &image, &key)?;
    for tenant in [&red, &blue] {
        let console = || format!("the console of {} says:\n{}", tenant.name, tenant.api.console(&tenant.server));
        office.ssh(&tenant.floating, &key).wait_until_ready(BOOT).with_context(console)?;
    }
    each_has_its_own(&office, &key, &red, &blue)?;
    rules_open_and_close(&office, &key, &red)?;
    a_moved_address_follows(&office, &key, &red)?;

    for tenant in [&red, &blue] {
        tenant.api.delete_server(&tenant.server)?;
        tenant.api.wait_until_gone(&tenant.server)?;
    }
    cloud.wait_for_clean_audit()?;
    cloud.passed()
}

fn make(
    cloud: &Cloud,
    (name, fixed): (&'static str, &'static str),
    external: &str,
    image: &str,
    key: &KeyPair,
) -> Result<Tenant> {
    let api = cloud.tenant(name)?;
    let network = api.make_network("inner")?;
    let subnet = api.make_subnet(&network, RANGE)?;
    api.make_router(external, &subnet)?;
    api.make_keypair("key", key.public())?;
    let ssh_rule = api.allow("tcp", Some(22))?;
    api.allow("icmp", None)?;
    let port = id(&api.make_port(json!({"network_id": network, "fixed_ips": [{"ip_address": fixed}]}))?)?;
    let server = api.create_server(&Wanted { name, image, port: &port, key: "key", ..Wanted::default() })?;
    api.wait_for_active(&server)?;
    let floating = api.make_floating_ip(external, &server)?;
    Ok(Tenant { name, api, fixed, server, floating, ssh_rule })
}

/// The same range twice: neither sees the other's machine, and each has its own gateway and metadata.
fn each_has_its_own(office: &Host, key: &KeyPair, red: &Tenant, blue: &Tenant) -> Result<()> {
    for (one, other) in [(red, blue), (blue, red)] {
        let ssh = office.ssh(&one.floating, key);
        let shown = ssh.run("hostname; ip -o -4 address show dev eth0")?;
        ensure!(shown.starts_with(one.name) && shown.contains(one.fixed), "{} shows {shown}", one.name);
        ssh.run("ping -c 1 -W 3 10.0.0.1").context("its own gateway")?;
        ensure!(ssh.run(&format!("ping -c 2 -W 1 {}", other.fixed)).is_err(), "{} reaches {}", one.name, other.name);
        let told = ssh.run("curl -s --max-time 10 http://169.254.169.254/latest/meta-data/hostname")?;
        ensure!(told.starts_with(one.name), "the metadata service told {} about {told}", one.name);
        // Outside, where floating addresses are, anyone may meet.
        ssh.run(&format!("ping -c 2 -W 3 {}", other.floating)).context("the other's floating address")?;
    }
    Ok(())
}

fn rules_open_and_close(office: &Host, key: &KeyPair, red: &Tenant) -> Result<()> {
    // A connection that is open when the rule goes: it prints a line each half second.
    let log = "long-connection";
    let target = format!("cirros@{}", red.floating);
    let private = key.private().display().to_string();
    let talk = [
        "ssh",
        "-i",
        &private,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        &target,
        "while true; do echo tick; sleep 0.5; done",
    ];
    let long = office.spawn(log, talk)?;
    let ticks = || Ok::<_, anyhow::Error>(long.log()?.matches("tick").count());
    wait_until("the long connection to talk", SOON, || Ok(ticks()? > 2))?;

    red.api.delete(&format!("/network/v2.0/security-group-rules/{}", red.ssh_rule))?;
    wait_until("ssh to be closed", SOON, || Ok(!connects(office, &red.floating)?))?;
    let at_close = ticks()?;
    std::thread::sleep(Duration::from_secs(3));
    ensure!(ticks()? <= at_close + 2, "an open connection goes on after its rule is gone");
    office.run(["ping", "-c", "1", "-W", "3", &red.floating]).context("the rule for ICMP was not touched")?;

    red.api.allow("tcp", Some(22))?;
    wait_until("ssh to be open again", SOON, || connects(office, &red.floating))?;
    office.ssh(&red.floating, key).wait_until_ready(SOON)
}

/// Whether the port of ssh answers.
fn connects(office: &Host, address: &str) -> Result<bool> {
    Ok(office.output(["timeout", "2", "bash", "-c", &format!("exec 3<>/dev/tcp/{address}/22")])?.status.success())
}

/// The same floating address, taken off and given back.
fn a_moved_address_follows(office: &Host, key: &KeyPair, red: &Tenant) -> Result<()> {
    let found = red.api.get(&format!("/network/v2.0/floatingips?floating_ip_address={}", red.floating))?;
    let floating = id(&found["floatingips"][0])?;
    let port = found["floatingips"][0]["port_id"].clone();
    let path = format!("/network/v2.0/floatingips/{floating}");
    red.api.put(&path, &json!({"floatingip": {"port_id": null}}))?;
    wait_until("the floating address to lead nowhere", SOON, || Ok(!connects(office, &red.floating)?))?;
    red.api.put(&path, &json!({"floatingip": {"port_id": port}}))?;
    let ssh: Ssh = office.ssh(&red.floating, key);
    ssh.wait_until_ready(SOON)
}
