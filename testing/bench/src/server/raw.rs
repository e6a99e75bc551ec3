// SPDX-License-Identifier: Apache-2.0
//! The floor: the command line of a machine of the cloud, run by hand with a disk, a tap and sockets of its own.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};
use uuid::Uuid;

use crate::process;

const PATIENCE: Duration = Duration::from_secs(60);
const TAP: &str = "bench-tap";

/// What the machine of the cloud was started with.
pub struct Template {
    id: String,
    /// Its network namespace is entered by it.
    pid: u32,
    arguments: Vec<String>,
}

/// The QEMU of a server on this host.
pub fn process_of(server: &str) -> anyhow::Result<(u32, Vec<String>)> {
    let is_qemu = |arguments: &[String]| arguments.first().is_some_and(|program| program.contains("qemu-system"));
    let mut found = process::mentioning(server).into_iter().filter(|(_, arguments)| is_qemu(arguments));
    found.next().with_context(|| format!("no QEMU of server {server} runs on this host"))
}

impl Template {
    pub fn of(server: &str) -> anyhow::Result<Self> {
        let (pid, arguments) = process_of(server)?;
        Ok(Self { id: server.to_owned(), pid, arguments })
    }

    /// Starts it until the guest runs, and ends it. Returns how long the start took, in milliseconds.
    pub async fn start(&self, dir: &Path) -> anyhow::Result<f64> {
        Ok(self.run(dir).await?.1)
    }

    /// Starts it until the guest runs. Returns how long that took, in milliseconds. The disk and the tap are made before: a
    /// floor is what nobody can leave out.
    pub async fn run(&self, dir: &Path) -> anyhow::Result<(Running, f64)> {
        let folder = tempfile::Builder::new().prefix("ferrostack-bench-").tempdir_in(dir)?;
        let arguments = self.arguments_in(&folder)?;
        let tap = Tap::make(self.pid, self.has_vnet_header())?;
        let listener = UnixListener::bind(folder.path().join("qmp.sock"))?;
        let log = fs::File::create(folder.path().join("qemu.log"))?;
        let mut command = in_namespace_of(self.pid, &arguments[0]);
        command.args(&arguments[1..]).current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);

        let began = Instant::now();
        let machine = Machine(command.spawn().context("start QEMU")?);
        let running = timeout(PATIENCE, async { Monitor::run(listener.accept().await?.0).await }).await;
        let took = began.elapsed().as_secs_f64() * 1e3;
        match running {
            Ok(Ok(monitor)) => Ok((Running { _machine: machine, monitor, folder, _tap: tap }, took)),
            Ok(Err(error)) => Err(error),
            Err(_) => bail!("QEMU does not run: {}", fs::read_to_string(folder.path().join("qemu.log"))?.trim()),
        }
    }

    /// The same arguments but for what there can be only one of.
    fn arguments_in(&self, folder: &TempDir) -> anyhow::Result<Vec<String>> {
        let own = Uuid::new_v4().to_string();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut arguments = Vec::new();
        let mut given = self.arguments.iter();
        while let Some(argument) = given.next() {
            let value = match argument.as_str() {
                // Its sockets and the log came to it as open files. Here it connects to us, so that nobody polls.
                "-add-fd" => {
                    given.next();
                    continue;
                }
                "-chardev" => match given.next().map_or("", String::as_str) {
                    qmp if qmp.contains("id=qmp") => format!("socket,id=qmp,path={}", at("qmp.sock")),
                    serial if serial.contains("id=serial0") => {
                        format!("socket,id=serial0,path={},server=on,wait=off,logfile={}", at("serial.sock"), at("console.log"))
                    }
                    other => other.to_owned(),
                },
                "-vnc" => {
                    given.next();
                    format!("unix:{}", at("vnc.sock"))
                }
                "-pidfile" => {
                    given.next();
                    at("pid")
                }
                "-blockdev" => own_disk(given.next().map_or("", String::as_str), &at("root.qcow2"))?,
                "-netdev" => own_tap(given.next().map_or("", String::as_str))?,
                _ => {
                    arguments.push(argument.replace(&self.id, &own));
                    continue;
                }
            };
            arguments.extend([argument.clone(), value]);
        }
        Ok(arguments)
    }

    fn has_vnet_header(&self) -> bool {
        self.arguments.iter().any(|argument| argument.contains("\"vnet_hdr\":true"))
    }
}

/// A disk that is written gets an overlay of its own on the same image; one that is only read is shared.
fn own_disk(given: &str, path: &str) -> anyhow::Result<String> {
    let mut device: Value = serde_json::from_str(given).context("read -blockdev")?;
    if device["read-only"] == true {
        return Ok(given.to_owned());
    }
    let theirs = device["file"]["filename"].as_str().context("the disk is a file")?;
    let shown = output(Command::new("qemu-img").args(["info", "--force-share", "--output=json", theirs]))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let base = shown["full-backing-filename"].as_str().context("the disk lies over an image")?;
    let format = shown["backing-filename-format"].as_str().context("the image has a format")?;
    let size = shown["virtual-size"].to_string();
    output(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-F", format, "-b", base, path, &size]))?;
    device["file"]["filename"] = json!(path);
    Ok(device.to_string())
}

fn own_tap(given: &str) -> anyhow::Result<String> {
    let mut device: Value = serde_json::from_str(given).context("read -netdev")?;
    device["ifname"] = json!(TAP);
    Ok(device.to_string())
}

/// One that runs until this is dropped.
pub struct Running {
    _machine: Machine,
    pub monitor: Monitor,
    pub folder: TempDir,
    _tap: Tap,
}

/// QMP.
pub struct Monitor {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Monitor {
    /// Lets the guest run and hears that it does.
    async fn run(stream: UnixStream) -> anyhow::Result<Self> {
        let (read, write) = stream.into_split();
        let mut monitor = Self { lines: BufReader::new(read).lines(), write };
        for command in ["qmp_capabilities", "cont", "query-status"] {
            monitor.say(command, &json!({})).await?;
        }
        while monitor.hear().await?["status"] != "running" {}
        Ok(monitor)
    }

    pub async fn ask(&mut self, command: &str, arguments: &Value) -> anyhow::Result<Value> {
        self.say(command, arguments).await?;
        self.hear().await
    }

    async fn say(&mut self, command: &str, arguments: &Value) -> anyhow::Result<()> {
        let line = json!({"execute": command, "arguments": arguments}).to_string();
        Ok(self.write.write_all(line.as_bytes()).await?)
    }

    /// The next answer; events are passed over.
    async fn hear(&mut self) -> anyhow::Result<Value> {
        while let Some(line) = self.lines.next_line().await? {
            let mut said: Value = serde_json::from_str(&line)?;
            ensure!(said["error"].is_null(), "QEMU refused: {}", said["error"]);
            if !said["return"].is_null() {
                return Ok(said["return"].take());
            }
        }
        bail!("QEMU ended")
    }
}

struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tap of our own beside those of the cloud, plugged into nothing.
struct Tap {
    beside: u32,
}

impl Tap {
    fn make(beside: u32, vnet_header: bool) -> anyhow::Result<Self> {
        let tap = Self { beside };
        // Left over from a run that was killed.
        tap.remove();
        let mut command = in_namespace_of(beside, "ip");
        command.args(["tuntap", "add", TAP, "mode", "tap"]);
        if vnet_header {
            command.arg("vnet_hdr");
        }
        output(&mut command)?;
        Ok(tap)
    }

    fn remove(&self) {
        let _ = in_namespace_of(self.beside, "ip").args(["link", "delete", TAP]).stderr(Stdio::null()).status();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Runs a program where the machine's taps are; directly, if that is where we are.
fn in_namespace_of(pid: u32, program: &str) -> Command {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    if namespace("self") == namespace(&pid.to_string()) {
        return Command::new(program);
    }
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net")).arg(program);
    command
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}
