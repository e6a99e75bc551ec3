// SPDX-License-Identifier: Apache-2.0
//! `ferrostack up` on a host of its own, again, and down in all ways, to nothing.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use anyhow::{Context, Result, ensure};
use lab::{KeyPair, Lab};
use scenarios::BOOT;
use serde_json::json;

use super::place::{Place, data, same, without_roles};

#[test]
fn up() -> Result<()> {
    let lab = Lab::new()?;
    let place = Place::new(lab.host("office")?);
    let devices = place.host.run(["ls", "/sys/class/net"])?;
    let image = lab::guest_image()?.display().to_string();
    let up = ["up", "--guest-image", &image];

    // The first days are those of an older build.
    let older = another_build(&place)?;
    let said = place.of_build(&older, &up)?;
    let floating = said.split("cirros@").nth(1).and_then(|rest| rest.split_whitespace().next()).context(said.clone())?.to_owned();
    let key = KeyPair::read(&place.home.join("secrets/demo-key"))?;
    let ssh = place.host.ssh(&floating, &key);
    // That is what `up` has waited for.
    ensure!(said.contains("+ the machine `demo` answers on ssh"), "{said}");
    ensure!(ssh.run("hostname")?.trim() == "demo", "the machine does not know its name");
    clouds_yaml_is_merged(&place)?;
    let shown = Shown::read(&said)?;
    shown.answers(&place)?;

    // A newer one takes its place, and the machine does not notice.
    let before = place.everything()?;
    let said = place.ferrostack(&up)?;
    ensure!(said.contains("~ the controller: from ") && said.contains("~ the agent of this host: from "), "{said}");
    let after = place.everything()?;
    same(&without_roles(&before), &without_roles(&after))?;
    ensure!(before["node.pid"] != after["node.pid"], "the agent is the older one");
    ssh.run("true").context("after the upgrade")?;

    // A second run finds everything as it is.
    let before = after;
    let said = place.ferrostack(&up)?;
    same(&before, &place.everything()?)?;
    ensure!(Shown::read(&said)? == shown, "{said}");
    ensure!(place.ferrostack(&["audit"])?.contains("as it should be"), "the audit found something");

    // It says what is true of a machine that its owner stopped, and leaves it so.
    place.power("os-stop", "SHUTOFF")?;
    let said = place.ferrostack(&up)?;
    ensure!(said.contains("! the machine `demo`: it is SHUTOFF; to have it run: openstack"), "{said}");
    ensure!(!said.contains("answers on ssh") && !said.contains("its page"), "{said}");
    place.power("os-start", "ACTIVE")?;
    let said = place.ferrostack(&up)?;
    ensure!(said.contains("the machine `demo` answers on ssh"), "{said}");
    ssh.run("true").context("after it was started again")?;
    let before = place.everything()?;

    // Down: the machine runs on and is reached; up adopts it.
    place.ferrostack(&["down"])?;
    let log = fs::metadata(place.home.join("ferrostack.db-wal")).map_or(0, |log| log.len());
    ensure!(log == 0, "the database is not whole by itself: {log} bytes are in its log");
    ensure!(place.ferrostack(&["status"]).is_err(), "there is a status of a cloud that is down");
    ssh.run("true").context("while the cloud was down")?;
    place.ferrostack(&up)?;
    let after = place.everything()?;
    same(&without_roles(&before), &without_roles(&after))?;
    ssh.run("true").context("after the cloud was up again")?;

    // Down with machines: no process is left, and all data is.
    place.ferrostack(&["down", "--machines"])?;
    nobody_is_left(&place)?;
    let said = place.ferrostack(&up)?;
    ssh.run("true").context("after the machine was stopped with the cloud")?;
    ensure!(Shown::read(&said)? == shown, "{said}");
    shown.answers(&place)?;
    let after = place.everything()?;
    same(&data(&before), &data(&after))?;

    the_tenant_owns_the_first_things(&place, &up)?;

    place.ferrostack(&["destroy", "--yes"])?;
    ensure!(!place.host.folder().join(".config/openstack/clouds.yaml").exists(), "entries are left in clouds.yaml");
    nobody_is_left(&place)?;
    ensure!(!place.home.exists(), "files are left in {}", place.home.display());
    let left = place.host.run(["ls", "/sys/class/net"])?;
    ensure!(left == devices, "devices are left:\n{left}");
    let namespaces = place.host.run(["ip", "netns", "list"])?;
    ensure!(namespaces.is_empty(), "namespaces are left:\n{namespaces}");
    lab.passed()
}

/// What a browser shows of it, by the addresses that `up` names.
#[derive(PartialEq)]
struct Shown {
    menus: String,
    page: String,
    object: String,
}

impl Shown {
    fn read(said: &str) -> Result<Self> {
        let after = |name: &str| {
            let line = said.lines().find_map(|line| line.trim_start().strip_prefix(name));
            let address = line.and_then(|line| line.split_whitespace().next());
            address.map(str::to_owned).with_context(|| format!("{name} is not named:\n{said}"))
        };
        Ok(Self { menus: after("menus ")?, page: after("its page ")?, object: after("an object ")? })
    }

    fn answers(&self, place: &Place) -> Result<()> {
        let Self { menus, page, object } = self;
        for (address, what) in [(menus, "Sign in"), (page, "lies on a volume"), (object, "Whoever knows its address")] {
            let shown = place.host.run(["curl", "--fail", "--silent", "--show-error", "--max-time", "20", address])?;
            ensure!(shown.contains(what), "{address}: {shown}");
        }
        Ok(())
    }
}

/// A copy of the binary with another identity of its build.
fn another_build(place: &Place) -> Result<PathBuf> {
    let mut bytes = fs::read(lab::ferrostack()?)?;
    let head = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = bytes.windows(head.len()).position(|window| window == head).context("the linker gives builds an identity")?;
    bytes[at + head.len()] ^= 0xff;
    let path = place.host.folder().join("older");
    fs::write(&path, bytes)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// He changes his password and deletes his machine: `up` starts the cloud all the same, and brings nothing back.
fn the_tenant_owns_the_first_things(place: &Place, up: &[&str]) -> Result<()> {
    let admin = place.log_in()?;
    let servers = admin.get("/compute/v2.1/servers?all_tenants=1")?;
    let server = scenarios::id(&servers["servers"][0])?;
    admin.delete(&format!("/compute/v2.1/servers/{server}"))?;
    let users = admin.get("/identity/v3/users?name=demo")?;
    let path = format!("/identity/v3/users/{}", scenarios::id(&users["users"][0])?);
    let change = json!({"user": {"password": "the tenant's own"}}).to_string();
    let answer = admin.send("PATCH", &path, "application/json", change.into())?;
    ensure!(answer.status == 200, "{answer}");
    lab::wait_until("the machine to be gone", BOOT, || {
        Ok(admin.get("/compute/v2.1/servers?all_tenants=1")?["servers"] == json!([]))
    })?;
    let before = place.everything()?;
    place.ferrostack(&["down"])?;
    let said = place.ferrostack(up)?;
    ensure!(!said.contains("reach it"), "{said}");
    same(&data(&before), &data(&place.everything()?))
}

fn clouds_yaml_is_merged(place: &Place) -> Result<()> {
    let text = fs::read_to_string(place.host.folder().join(".config/openstack/clouds.yaml"))?;
    ensure!(text.contains("ferrostack:") && text.contains("ferrostack-demo:"), "{text}");
    Ok(())
}

/// The only processes are the host's first and the one that looks.
fn nobody_is_left(place: &Place) -> Result<()> {
    let shown = place.host.run(["ps", "-eo", "pid=,args="])?;
    let left: Vec<_> = shown
        .lines()
        .filter(|line| !line.contains("ps -eo") && !line.trim_start().starts_with("1 "))
        .filter(|line| !line.contains("timeout"))
        .collect();
    ensure!(left.is_empty(), "processes are left:\n{}", left.join("\n"));
    Ok(())
}
