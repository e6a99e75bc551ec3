// SPDX-License-Identifier: Apache-2.0
//! The `ip` program, for the few interfaces and namespaces that we make. What reaches it are ids of ours, addresses,
//! numbers and names that the operator configured.

use std::{
    io::{self, Write},
    process::{Command, Stdio},
};

use crate::{Result, error::Doing};

/// Runs commands, one a line, in the host's own network namespace. They block.
pub(crate) fn run(commands: &str) -> Result<()> {
    batch(Command::new("ip"), commands)
}

/// Runs commands in a named namespace.
pub(crate) fn run_within(namespace: &str, commands: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-n", namespace]);
    batch(command, commands)
}

fn batch(mut command: Command, commands: &str) -> Result<()> {
    let doing = || format!("run `ip` with {commands:?}");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().doing(doing)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(commands.as_bytes()).doing(doing)?;
    }
    let output = child.wait_with_output().doing(doing)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(said)).doing(doing)
}
