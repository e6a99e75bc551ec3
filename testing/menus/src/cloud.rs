// SPDX-License-Identifier: Apache-2.0
//! A cloud on a host of its own, as `ferrostack up --bare` makes it: with its agent, its volumes, its switch and OVN.

use std::{ffi::OsStr, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use lab::{Host, Lab};

pub struct Cloud {
    lab: Lab,
    host: Host,
    home: PathBuf,
    url: String,
}

impl Cloud {
    pub fn start() -> Result<Self> {
        let lab = Lab::new()?;
        let host = lab.host("office")?;
        let home = host.folder().join("cloud");
        let mut cloud = Self { lab, host, home, url: String::new() };
        let said = cloud.ferrostack(&["up", "--bare"])?;
        let line = said.lines().find_map(|line| line.trim_start().strip_prefix("menus "));
        let address = line.and_then(|line| line.split_whitespace().next()?.strip_suffix("/dashboard/"));
        cloud.url = address.with_context(|| format!("`up` names no menus:\n{said}"))?.to_owned();
        Ok(cloud)
    }

    /// What a program on this host is told of the cloud.
    pub fn command(&self, words: &[&OsStr]) -> Result<Command> {
        let password = fs::read_to_string(self.home.join("secrets/admin-password")).context("read the password")?;
        let mut command = self.on_the_host(words);
        command.env("MENUS_URL", &self.url).env("MENUS_ADMIN_PASSWORD", password.trim());
        Ok(command)
    }

    /// To nothing, with pages that may still listen.
    pub fn stop(self) -> Result<()> {
        self.ferrostack(&["destroy", "--yes"])?;
        self.lab.passed()
    }

    fn ferrostack(&self, words: &[&str]) -> Result<String> {
        let program = lab::ferrostack()?;
        let bounded: [&OsStr; 3] = ["timeout".as_ref(), "300".as_ref(), program.as_os_str()];
        let all: Vec<&OsStr> = bounded.into_iter().chain(words.iter().map(AsRef::as_ref)).collect();
        let output = self.on_the_host(&all).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "ferrostack {words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }

    fn on_the_host(&self, words: &[&OsStr]) -> Command {
        let mut command = self.host.command(words);
        command.env("FERROSTACK_HOME", &self.home).env("HOME", self.host.folder()).env_remove("XDG_CONFIG_HOME");
        command
    }
}
