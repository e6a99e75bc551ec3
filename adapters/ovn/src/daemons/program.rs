// SPDX-License-Identifier: Apache-2.0
//! Finding and running the programs of the distribution.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::{Error, Result};

/// The PATH of a service often lacks `sbin`, where the daemons are.
const USUAL_PLACES: &[&str] = &["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// How long a program may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Finds a program by its name.
pub(super) fn find(program: &'static str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(USUAL_PLACES.iter().map(PathBuf::from));
    let mut candidates = places.filter(|place| place.is_absolute()).map(|place| place.join(program));
    candidates.find(|candidate| candidate.is_file()).ok_or(Error::NotInstalled { program, package: package(program) })
}

/// Runs a program to its end and returns what it wrote to its standard output.
pub(super) async fn run(command: &mut Command) -> Result<String> {
    let name = Path::new(command.as_std().get_program()).file_name().unwrap_or(OsStr::new("program"));
    let name = name.to_string_lossy().into_owned();
    let failed = |output: String| Error::Program { program: name.clone(), output };
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let done = tokio::time::timeout(PATIENCE, command.output()).await;
    let done = done.map_err(|_| failed("it did not finish in time".to_owned()))?;
    let done = done.map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(failed(if said.is_empty() { done.status.to_string() } else { said }))
}

fn package(program: &str) -> &'static str {
    match program {
        "ovn-northd" => "ovn-central",
        "ovn-controller" => "ovn-host",
        "nsenter" => "util-linux",
        _ => "openvswitch-switch",
    }
}
