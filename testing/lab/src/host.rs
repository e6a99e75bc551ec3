// SPDX-License-Identifier: Apache-2.0
//! One host of the laboratory: its namespaces, and commands and daemons run in them.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Pid;

use crate::{Process, process::only_child, wait_for};

/// No single command of a test needs longer; one that hangs is ended and named.
const COMMAND_DEADLINE: Duration = Duration::from_secs(120);

/// What the first process of a host does: it makes the host a place of its own, then waits until its standard input closes.
/// As the first process it also reaps daemons, and its end is the end of every process in the host.
///
/// `ip netns` keeps its names in /run/netns: with a folder each, two hosts can use the same name. /sys shows the devices of
/// the network that it was mounted in, so the host mounts it anew, with the control groups that were mounted in it.
const KEEPER: &str = r#"
set -e
echo "$1" >/proc/sys/kernel/hostname
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
exec 3</sys/fs/cgroup
mount -t sysfs sysfs /sys
mount --no-canonicalize --rbind /proc/self/fd/3 /sys/fs/cgroup
exec 3<&-
ip link set lo up
for key in net/ipv4/conf/all/rp_filter net/ipv4/conf/default/rp_filter net/ipv6/conf/all/disable_ipv6; do
  echo 0 >/proc/sys/$key
done
echo ready
while read -r _; do :; done
"#;

/// A handle; the host itself ends with its laboratory.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    folder: PathBuf,
    underlay: Option<Ipv4Addr>,
    keeper: Mutex<Child>,
    pid: Pid,
}

impl Host {
    pub(crate) fn start(name: &str, folder: &Path, underlay: Option<Ipv4Addr>) -> Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let mut keeper = Command::new("unshare")
            .args(["--fork", "--kill-child", "--pid", "--mount", "--net", "--uts", "--mount-proc", "--propagation", "private"])
            .args(["--", "bash", "-c", KEEPER, "host", name])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running unshare")?;
        let mut line = String::new();
        if let Some(out) = keeper.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        if line != "ready\n" {
            let status = keeper.wait()?;
            bail!("the host {name} did not come up ({status}); this needs root and network namespaces");
        }
        let pid = only_child(keeper.id())?.context("the host has no first process")?;
        Ok(Self { inner: Arc::new(Inner { name: name.to_owned(), folder, underlay, keeper: Mutex::new(keeper), pid }) })
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The host's own folder, for whatever runs there; `*.log` in it is kept when the test fails.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The address on `eth0`, by which other hosts of the underlay reach it.
    pub fn underlay(&self) -> Result<Ipv4Addr> {
        self.inner.underlay.with_context(|| format!("{} is not on the underlay", self.name()))
    }

    /// The number of the host's first process, for `nsenter --target`.
    pub fn pid(&self) -> u32 {
        self.inner.pid.as_raw().unsigned_abs()
    }

    /// A command that will run in this host, in its folder; environment may be added to it.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.pid().to_string());
        command.args(["--root", "--wd", "--mount", "--net", "--uts", "--pid", "--"]).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs to the end and gives its standard output; a failure carries what it said.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let shown = arguments.join(OsStr::new(" "));
        let output = self.output(&arguments)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "in {}: {}: {}\n{said}{}",
            self.name(),
            shown.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// Runs to the end, well or not.
    pub fn output<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Output> {
        let seconds = COMMAND_DEADLINE.as_secs().to_string();
        let bounded = ["timeout", "--kill-after=5", &seconds].into_iter().map(OsStr::new).map(OsStr::to_owned);
        let bounded = bounded.chain(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self.command(bounded).output().context("running nsenter")
    }

    /// Starts a daemon in the foreground; its output goes to `NAME.log` in the host's folder.
    pub fn spawn<S: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = S>) -> Result<Process> {
        self.spawn_command(name, self.command(arguments))
    }

    /// The same for a command made by [`Host::command`].
    pub fn spawn_command(&self, name: &str, command: Command) -> Result<Process> {
        Process::spawn(name, command, &self.folder().join(format!("{name}.log")))
    }

    pub fn wait_for_file(&self, path: &Path, within: Duration) -> Result<()> {
        wait_for(&format!("{}", path.display()), within, || Ok(path.try_exists()?.then_some(())))
    }

    /// Ends every process in the host, at once.
    pub(crate) fn stop(&self) {
        let mut keeper = self.inner.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        drop(keeper.stdin.take());
        let _ = keeper.wait();
    }
}
