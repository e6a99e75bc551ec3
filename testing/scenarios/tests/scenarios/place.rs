// SPDX-License-Identifier: Apache-2.0
//! A host on which somebody types `ferrostack`, and all that he finds there.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use lab::Host;
use scenarios::{Account, Api, BOOT, machines};
use serde_json::{Value, json};

pub struct Place {
    pub host: Host,
    pub home: PathBuf,
}

pub type Everything = BTreeMap<String, Value>;

impl Place {
    pub fn new(host: Host) -> Self {
        Self { home: host.folder().join("cloud"), host }
    }

    pub fn ferrostack(&self, words: &[&str]) -> Result<String> {
        self.of_build(&lab::ferrostack()?, words)
    }

    /// The same by another binary.
    pub fn of_build(&self, program: &Path, words: &[&str]) -> Result<String> {
        let bounded: [&OsStr; 3] = ["timeout".as_ref(), "300".as_ref(), program.as_os_str()];
        let output = self.command(bounded.into_iter().chain(words.iter().map(AsRef::as_ref))).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("ferrostack {words:?}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(said)
    }

    pub fn command<'a>(&self, words: impl IntoIterator<Item = &'a OsStr>) -> Command {
        let mut command = self.host.command(words);
        command.env("FERROSTACK_HOME", &self.home).env("HOME", self.host.folder()).env_remove("XDG_CONFIG_HOME");
        command
    }

    /// All that the cloud has and all that runs: listings by their path, processes by their name.
    pub fn everything(&self) -> Result<Everything> {
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

    /// Does this to the one machine, and waits until it is so.
    pub fn power(&self, action: &str, status: &str) -> Result<()> {
        let admin = self.log_in()?;
        let servers = admin.get("/compute/v2.1/servers?all_tenants=1")?;
        let path = format!("/compute/v2.1/servers/{}", scenarios::id(&servers["servers"][0])?);
        admin.post(&format!("{path}/action"), &json!({action: null}))?;
        lab::wait_until(&format!("the machine to be {status}"), BOOT, || Ok(admin.get(&path)?["server"]["status"] == status))
    }

    pub fn log_in(&self) -> Result<Api> {
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

pub fn without_roles(all: &Everything) -> Everything {
    all.iter().filter(|(name, _)| !matches!(name.as_str(), "controller.pid" | "node.pid")).map(clone).collect()
}

/// What a restart of all does not change.
pub fn data(all: &Everything) -> Everything {
    all.iter().filter(|(name, _)| name.starts_with('/')).map(clone).collect()
}

fn clone<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

pub fn same(before: &Everything, after: &Everything) -> Result<()> {
    for name in before.keys().chain(after.keys()) {
        let (was, is) = (before.get(name), after.get(name));
        ensure!(was == is, "{name} was {was:?} and is {is:?}");
    }
    Ok(())
}
