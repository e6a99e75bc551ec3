// SPDX-License-Identifier: Apache-2.0
//! Our own processes: started in a session of their own, named by a pid file, ended by their id and nobody else's.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::home::Home;

/// The pid of a role (`controller`, `node`) of this cloud, if it runs. A recycled pid does not fool it: the process
/// must be one of ours, with this very home.
pub fn running(home: &Home, role: &str) -> Option<i32> {
    let text = fs::read_to_string(pid_file(home, role)).ok()?;
    let pid: i32 = text.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let arguments: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
    let is_role = arguments.contains(&role.as_bytes());
    let is_here = arguments.contains(&home.state.as_os_str().as_encoded_bytes());
    (is_role && is_here).then_some(pid)
}

/// Starts a role of this binary so that it outlives us. Returns its pid.
pub fn start(home: &Home, role: &str, more: &[&str]) -> anyhow::Result<i32> {
    start_in(home, role, None, more)
}

/// The same, in a network namespace.
pub fn start_in(home: &Home, role: &str, namespace: Option<&str>, more: &[&str]) -> anyhow::Result<i32> {
    let program = std::env::current_exe().context("find our own binary")?;
    let log_path = home.logs().join(format!("{role}.log"));
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(&log_path)
        .with_context(|| format!("open {}", log_path.display()))?;
    let mut command = match namespace {
        None => Command::new(program),
        // `ip` enters the namespace and then becomes the program, so that the pid stays.
        Some(name) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", name]).arg(program);
            command
        }
    };
    command.arg(role).arg("--home").arg(&home.state).args(more);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir("/");
    // A session of its own: outside tools account for it, and a closed terminal does not end it.
    #[allow(unsafe_code)]
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
    let child = command.spawn().with_context(|| format!("start the {role}"))?;
    let pid = i32::try_from(child.id()).context("a pid fits into an i32")?;
    write_pid(home, role, pid)?;
    Ok(pid)
}

/// A role writes its own pid too, so that one started by hand or by an init system is known.
pub fn write_pid(home: &Home, role: &str, pid: i32) -> anyhow::Result<()> {
    let path = pid_file(home, role);
    // The one who starts a role writes it, and so does the role: each its own file until it is whole.
    let temporary = path.with_extension(format!("pid.{}", std::process::id()));
    fs::write(&temporary, format!("{pid}\n")).with_context(|| format!("write {}", temporary.display()))?;
    fs::rename(&temporary, &path).with_context(|| format!("write {}", path.display()))
}

/// Asks a role to end and waits for it; after the patience is over, ends it.
pub fn stop(home: &Home, role: &str, patience: Duration) -> anyhow::Result<bool> {
    let Some(pid) = running(home, role) else {
        let _ = fs::remove_file(pid_file(home, role));
        return Ok(false);
    };
    signal(pid, Signal::SIGTERM)?;
    let deadline = Instant::now() + patience;
    while running(home, role) == Some(pid) && is_alive(pid) {
        if Instant::now() > deadline {
            signal(pid, Signal::SIGKILL)?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = fs::remove_file(pid_file(home, role));
    Ok(true)
}

fn is_alive(pid: i32) -> bool {
    // A child that ended and was not waited for is a zombie: not alive.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

fn signal(pid: i32, signal: Signal) -> anyhow::Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("end the process {pid}")),
    }
}

fn pid_file(home: &Home, role: &str) -> PathBuf {
    home.run().join(format!("{role}.pid"))
}

/// The last lines of a role's log, for a message that says why it did not come up.
pub fn last_words(home: &Home, role: &str) -> String {
    tail(&home.logs().join(format!("{role}.log")), 15)
}

fn tail(path: &Path, count: usize) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
