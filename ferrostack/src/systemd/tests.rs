// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used)]

use std::{os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::config::Config;

/// As `systemctl` answers, and notes what it was told.
const SYSTEMCTL: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/told"
case $1-$2 in
  is-enabled-*) shift; for unit; do if [ -e "$here/enabled" ]; then echo enabled; else echo disabled; fi; done ;;
  --quiet-enable) touch "$here/enabled" ;;
  --quiet-disable) rm -f "$here/enabled" ;;
  show-*MainPID) cat "$here/pid" 2>/dev/null || echo 0 ;;
esac
"#;

pub struct Stage {
    folder: tempfile::TempDir,
    pub systemd: Systemd,
    pub home: Home,
}

impl Stage {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (units, systemctl) = (folder.path().join("units"), folder.path().join("systemctl"));
        fs::create_dir(&units).unwrap();
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        let home = Home::at(folder.path().join("cloud"));
        home.ensure().unwrap();
        Self { systemd: Systemd { folder: units, systemctl: systemctl.into() }, home, folder }
    }

    /// This process is the one that the unit has started.
    pub fn main_process(&self, pid: i32) {
        fs::write(self.folder.path().join("pid"), format!("{pid}\n")).unwrap();
    }

    /// What it was told since this was asked last.
    pub fn told(&self) -> Vec<String> {
        let path = self.folder.path().join("told");
        let told = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        told.lines().map(str::to_owned).collect()
    }

    fn units(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.systemd.folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn units_come_once_and_go_again() {
    let stage = Stage::new();
    let (config, program) = (Config::default(), Path::new("/bin/true"));
    let plan = Plan::new(&stage.home, &config, program);
    assert!(stage.systemd.ensure(&plan).unwrap());
    let tag = stage.home.tag();
    let names: Vec<String> = ["controller", "host", "node"].map(|unit| format!("ferrostack-{tag}-{unit}.service")).into();
    assert_eq!(stage.units(), names);
    assert_eq!(stage.told()[0], "daemon-reload");
    assert!(!stage.systemd.ensure(&plan).unwrap(), "nothing is to be done");
    assert!(stage.told().iter().all(|told| told.starts_with("is-enabled")));

    assert!(stage.systemd.ensure(&Plan::new(&stage.home, &config, Path::new("/bin/false"))).unwrap(), "it has moved");
    stage.told();
    assert!(stage.systemd.release(&stage.home).unwrap());
    let told = stage.told();
    assert!(told[0].starts_with("--quiet disable --now") && told[0].contains(&names[0]), "{told:?}");
    assert!(stage.units().is_empty());
    assert!(!stage.systemd.release(&stage.home).unwrap());
    assert!(stage.told().is_empty());
}

#[test]
fn systemd_reads_the_units_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Config::default();
    beside.node.namespace = Some("ferrostack-12ab".to_owned());
    let homes = [Home::at("/var/lib/ferrostack".into()), Home::at("/srv/a $cloud, 100% \"ours\"".into())];
    for (home, config) in homes.iter().zip([Config::default(), beside]) {
        let plan = Plan::new(home, &config, Path::new("/bin/true"));
        let mut verify = Command::new("systemd-analyze");
        verify.arg("verify");
        for unit in UNITS {
            let path = folder.path().join(unit::name(home, unit));
            fs::write(&path, plan.text(unit)).unwrap();
            verify.arg(path);
        }
        let output = verify.output().expect("systemd-analyze (package systemd)");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
    // It does say something of what it cannot read.
    let wrong = folder.path().join("wrong.service");
    fs::write(&wrong, "[Service]\nExecStart=/bin/true\nKillMode=never\n").unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(wrong).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("never"));
}
