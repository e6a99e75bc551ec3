// SPDX-License-Identifier: Apache-2.0
//! Ssh from a host to a machine, with a key made for the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{Host, wait_for};

pub struct KeyPair {
    private: PathBuf,
    public: String,
}

impl KeyPair {
    pub fn generate(folder: &Path, name: &str) -> Result<Self> {
        let private = folder.join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&private).output();
        let made = made.context("running ssh-keygen")?;
        ensure!(made.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&made.stderr));
        Self::read(&private)
    }

    /// One that is there already, with its public half beside it.
    pub fn read(private: &Path) -> Result<Self> {
        let public = fs::read_to_string(private.with_extension("pub"))?.trim_end().to_owned();
        Ok(Self { private: private.to_owned(), public })
    }

    /// The line for `authorized_keys`.
    pub fn public(&self) -> &str {
        &self.public
    }

    pub fn private(&self) -> &Path {
        &self.private
    }
}

pub struct Ssh<'a> {
    from: &'a Host,
    to: String,
    key: &'a KeyPair,
}

impl Host {
    /// Ssh from here, as the user of the small guest image.
    pub fn ssh<'a>(&'a self, address: &str, key: &'a KeyPair) -> Ssh<'a> {
        Ssh { from: self, to: format!("cirros@{address}"), key }
    }
}

impl Ssh<'_> {
    /// Runs a line of shell on the machine and gives its standard output.
    pub fn run(&self, line: &str) -> Result<String> {
        let options =
            ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=8", "LogLevel=ERROR"];
        let mut arguments = vec!["ssh".into(), "-i".into(), self.key.private.as_os_str().to_owned()];
        arguments.extend(options.iter().flat_map(|option| ["-o".into(), (*option).into()]));
        arguments.extend([(&self.to).into(), line.into()]);
        self.from.run(arguments)
    }

    /// Until the machine has booted, has its key, and lets us in.
    pub fn wait_until_ready(&self, within: Duration) -> Result<()> {
        wait_for(&format!("ssh to {} from {}", self.to, self.from.name()), within, || self.run("true").map(Some)).map(drop)
    }
}
