// SPDX-License-Identifier: Apache-2.0
//! Where systemd runs this host, it starts the roles: after a reboot, too, and again when one fails.
//!
//! Invariant: a role has one starter: where there are units, `up` starts it by its unit, and what runs outside of it is
//! replaced (test: `under_systemd_a_role_belongs_to_its_unit`).

mod unit;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

pub use unit::Plan;
use unit::UNITS;

use crate::home::Home;

/// The names of a cloud's units, as `systemctl status` takes them.
pub fn pattern(home: &Home) -> String {
    unit::name(home, "*")
}

pub struct Systemd {
    /// Where units of the administrator lie.
    folder: PathBuf,
    systemctl: OsString,
}

impl Systemd {
    /// None where something else starts the daemons of this host, or where we are not in the place that it manages: in a
    /// container, or in namespaces of our own.
    pub fn here() -> Option<Self> {
        let runs = Path::new("/run/systemd/system").is_dir();
        let is_first = fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim() == "systemd");
        let namespace = |process: &str, kind: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
        let is_same_place = ["mnt", "net", "pid"].into_iter().all(|kind| {
            let own = namespace("self", kind);
            own.is_some() && own == namespace("1", kind)
        });
        (runs && is_first && is_same_place).then(|| Self { folder: "/etc/systemd/system".into(), systemctl: "systemctl".into() })
    }

    /// Writes the units of a cloud and has them started at each boot. Returns whether anything was to be done.
    pub fn ensure(&self, plan: &Plan<'_>) -> anyhow::Result<bool> {
        let mut changed = false;
        for unit in UNITS {
            let path = self.path(plan.home, unit);
            let text = plan.text(unit);
            if fs::read_to_string(&path).is_ok_and(|there| there == text) {
                continue;
            }
            changed = true;
            let temporary = path.with_extension("service.new");
            fs::write(&temporary, text).with_context(|| format!("write {}", temporary.display()))?;
            fs::rename(&temporary, &path).with_context(|| format!("write {}", path.display()))?;
        }
        if changed {
            self.tell(&["daemon-reload"])?;
        }
        let names = UNITS.map(|unit| unit::name(plan.home, unit));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let enabled = self.ask(&[&["is-enabled"], names.as_slice()].concat())?;
        if enabled.lines().filter(|line| *line == "enabled").count() != names.len() {
            changed = true;
            self.tell(&[&["--quiet", "enable"], names.as_slice()].concat())?;
        }
        Ok(changed)
    }

    /// Starts a role by its unit.
    pub fn start(&self, home: &Home, role: &str) -> anyhow::Result<()> {
        self.tell(&["restart", &unit::name(home, role)])
    }

    /// Ends it. What it has started runs on.
    pub fn stop(&self, home: &Home, role: &str) -> anyhow::Result<()> {
        if self.path(home, role).exists() {
            self.tell(&["stop", &unit::name(home, role)])?;
        }
        Ok(())
    }

    /// Whether this process is the one that the unit of a role has started.
    pub fn has_started(&self, home: &Home, role: &str, pid: i32) -> anyhow::Result<bool> {
        let said = self.ask(&["show", "--property=MainPID", "--value", &unit::name(home, role)])?;
        Ok(said.trim() == pid.to_string())
    }

    /// Whether the role has ended by a failure, be it that systemd is about to try it again.
    pub fn has_failed(&self, home: &Home, role: &str) -> anyhow::Result<bool> {
        let said = self.ask(&["show", "--property=SubState", "--value", &unit::name(home, role)])?;
        Ok(matches!(said.trim(), "auto-restart" | "failed" | "dead"))
    }

    /// Stops the units of a cloud and takes them away. Returns whether there were any.
    pub fn release(&self, home: &Home) -> anyhow::Result<bool> {
        let there: Vec<&str> = UNITS.into_iter().filter(|unit| self.path(home, unit).exists()).collect();
        if there.is_empty() {
            return Ok(false);
        }
        let names: Vec<String> = there.iter().map(|unit| unit::name(home, unit)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.tell(&[&["--quiet", "disable", "--now"], names.as_slice()].concat())?;
        for unit in there {
            let path = self.path(home, unit);
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
        self.tell(&["daemon-reload"])?;
        // One that failed is remembered otherwise.
        let _ = self.ask(&[&["reset-failed"], names.as_slice()].concat());
        Ok(true)
    }

    fn path(&self, home: &Home, unit: &str) -> PathBuf {
        self.folder.join(unit::name(home, unit))
    }

    fn tell(&self, words: &[&str]) -> anyhow::Result<()> {
        let output = Command::new(&self.systemctl).args(words).output().context("run systemctl")?;
        if !output.status.success() {
            bail!("systemctl {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// The answer is in what it says, not in how it ends.
    fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.systemctl).args(words).output().context("run systemctl")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[cfg(test)]
pub mod tests;
