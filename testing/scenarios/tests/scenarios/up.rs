// SPDX-License-Identifier: Apache-2.0
//! `ferrostack up` on a host of its own, again, and down in all ways, to nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use lab::{Host, KeyPair, Lab};
use scenarios::{Account, Api, BOOT, machines};
use serde_json::Value;

/// A host on which somebody types `ferrostack`.
struct Place {
    host: Host,
    home: PathBuf,
}

#[test]
fn up() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host("office")?;
    let place = Place { home: host.folder().join("cloud"), host };
    let devices = place.host.run(["ls", "/sys/class/net"])?;
    let image = lab::guest_image()?.display().to_string();
    let up = ["up", "--guest-image", &image];

    let said = place.ferrostack(&up)?;
    let floating = said.split("cirros@").nth(1).and_then(|rest| rest.split_whitespace().next()).context(said.clone())?.to_owned();
    let key = KeyPair::read(&place.home.join("secrets/demo-key"))?;
    let ssh = place.host.ssh(&floating, &key);
    ssh.wait_until_ready(BOOT)?;
    ensure!(ssh.run("hostname")?.trim() == "demo", "the machine does not know its name");
    clouds_yaml_is_merged(&place)?;

    // A second run finds everything as it is.
    let before = place.everything()?;
    place.ferrostack(&up)?;
    same(&before, &place.everything()?)?;
    ensure!(place.ferrostack(&["audit"])?.contains("as it should be"), "the audit found something");

    // Down: the machine runs on and is reached; up adopts it.
    place.ferrostack(&["down"])?;
    ensure!(place.ferrostack(&["status"]).is_err(), "there is a status of a cloud that is down");
    ssh.run("true").context("while the cloud was down")?;
    place.ferrostack(&up)?;
    let after = place.everything()?;
    same(&without_roles(&before), &without_roles(&after))?;
    ssh.run("true").context("after the cloud was up again")?;

    // Down with machines: no process is left, and all data is.
    place.ferrostack(&["down", "--machines"])?;
    nobody_is_left(&place)?;
    place.ferrostack(&up)?;
    ssh.wait_until_ready(BOOT).context("after the machine was stopped with the cloud")?;
    let after = place.everything()?;
    let data = |all: &BTreeMap<String, Value>| all.iter().filter(|(name, _)| name.starts_with('/')).map(clone).collect();
    same(&data(&before), &data(&after))?;

    place.ferrostack(&["destroy", "--yes"])?;
    nobody_is_left(&place)?;
    ensure!(!place.home.exists(), "files are left in {}", place.home.display());
    let left = place.host.run(["ls", "/sys/class/net"])?;
    ensure!(left == devices, "devices are left:\n{left}");
    let namespaces = place.host.run(["ip", "netns", "list"])?;
    ensure!(namespaces.is_empty(), "namespaces are left:\n{namespaces}");
    lab.passed()
}

fn clone<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

fn clouds_yaml_is_merged(place: &Place) -> Result<()> {
    let text = fs::read_to_string(place.host.folder().join(".config/openstack/clouds.yaml"))?;
    ensure!(text.contains("ferrostack:") && text.contains("ferrostack-demo:"), "{text}");
    Ok(())
}

impl Place {
    fn ferrostack(&self, words: &[&str]) -> Result<String> {
        let program = lab::ferrostack()?;
        let mut command = self.host.command(
            ["timeout".as_ref(), "300".as_ref(), program.as_os_str()].into_iter().chain(words.iter().map(AsRef::as_ref)),
        );
        command.env("FERROSTACK_HOME", &self.home).env("HOME", self.host.folder()).env_remove("XDG_CONFIG_HOME");
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("ferrostack {words:?}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(said)
    }

    /// All that the cloud has and all that runs: listings by their path, processes by their name.
    fn everything(&self) -> Result<BTreeMap<String, Value>> {
        let admin = self.log_in()?;
        let mut all = BTreeMap::new();
        for path in [
            "/compute/v2.1/servers?all_tenants=1",
            "/compute/v2.1/flavors",
            "/image/v2/images",
            "/network/v2.0/networks",
            "/network/v2.0/subnets",
            "/network/v2.0/ports?fields=id&fields=fixed_ips&fields=mac_address&fields=device_id",
            "/network/v2.0/routers?fields=id&fields=external_gateway_info",
            "/network/v2.0/floatingips?fields=id&fields=floating_ip_address&fields=port_id",
            "/network/v2.0/security-group-rules?fields=id",
            "/identity/v3/projects",
            "/identity/v3/users",
            "/identity/v3/endpoints",
        ] {
            all.insert(path.to_owned(), sorted(admin.get(path)?));
        }
        for (machine, pid) in machines(&self.host)? {
            all.insert(format!("machine {machine}"), pid.into());
        }
        for pid_file in pid_files(&self.home)? {
            let pid = fs::read_to_string(&pid_file)?.trim().to_owned();
            self.host.run(["kill", "-0", &pid]).with_context(|| format!("{} names nobody", pid_file.display()))?;
            all.insert(pid_file.file_name().unwrap().to_string_lossy().into_owned(), pid.into());
        }
        ensure!(all.contains_key("controller.pid") && all.contains_key("node.pid"), "no pid files");
        Ok(all)
    }

    fn log_in(&self) -> Result<Api> {
        let exports = self.ferrostack(&["env"])?;
        let value = |name: &str| -> Result<String> {
            let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            Ok(line.with_context(|| format!("{name} in {exports}"))?.trim_matches('\'').to_owned())
        };
        let url = value("OS_AUTH_URL")?;
        let address = url.trim_start_matches("http://").trim_end_matches("/identity/v3").parse().with_context(|| url.clone())?;
        let account =
            Account { user: value("OS_USERNAME")?, password: value("OS_PASSWORD")?, project: value("OS_PROJECT_NAME")? };
        Api::anonymous(&self.host, address).log_in(&account)
    }
}

/// `run/*.pid` name every daemon that was started.
fn pid_files(home: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home.join("run"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "pid") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Lists in the order of their text, since an order was not asked for.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut parts) => {
            parts.sort_by_key(Value::to_string);
            Value::Array(parts)
        }
        Value::Object(parts) => Value::Object(parts.into_iter().map(|(key, part)| (key, sorted(part))).collect()),
        other => other,
    }
}

fn without_roles(all: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    all.iter().filter(|(name, _)| !matches!(name.as_str(), "controller.pid" | "node.pid")).map(clone).collect()
}

fn same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Result<()> {
    for name in before.keys().chain(after.keys()) {
        let (was, is) = (before.get(name), after.get(name));
        ensure!(was == is, "{name} was {was:?} and is {is:?}");
    }
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
