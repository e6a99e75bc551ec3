// SPDX-License-Identifier: Apache-2.0
//! The QEMU process of a machine: finding it, waiting for its end, ending it.
//!
//! A process number alone proves nothing, it may have been used again. A process is ours when its command line
//! says so while we hold a pidfd on it, and from then on only the pidfd is used.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use tokio::io::unix::AsyncFd;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::RunDir;
use crate::Result;
use crate::error::Doing;
use crate::sys;

/// For how long a process may be between two programs, on a machine that is busy.
const BETWEEN_PROGRAMS: Duration = Duration::from_secs(1);

/// How a QEMU process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// It was not our child (we were restarted since), so the kernel does not tell.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(out, "exit code {code}"),
            Self::Signal(signal) => write!(out, "signal {signal}"),
            Self::Unknown => out.write_str("unknown exit code"),
        }
    }
}

/// A process that cannot be confused with another.
#[derive(Debug)]
pub(crate) struct Process {
    pub pid: i32,
    fd: AsyncFd<OwnedFd>,
    /// Only the first to look can reap, so what it learned is kept for the others.
    exit: OnceCell<Exit>,
}

impl Process {
    pub fn open(pid: i32) -> io::Result<Self> {
        let fd = sys::watch(sys::pidfd_open(pid)?)?;
        Ok(Self { pid, fd, exit: OnceCell::new() })
    }

    /// Resolves when the process has ended, and reaps it if it is our child.
    pub async fn ended(&self) -> Result<Exit> {
        self.exit.get_or_try_init(|| self.reap()).await.copied()
    }

    async fn reap(&self) -> Result<Exit> {
        let _ready = self.fd.readable().await.doing(|| format!("watch process {}", self.pid))?;
        match waitid(Id::PIDFd(self.fd.as_fd()), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG) {
            Ok(WaitStatus::Exited(_, code)) => Ok(Exit::Code(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ok(Exit::Signal(signal as i32)),
            Ok(_) | Err(Errno::ECHILD) => Ok(Exit::Unknown),
            Err(error) => Err(error).doing(|| format!("reap process {}", self.pid)),
        }
    }

    /// SIGKILL. That it is already gone is what was wanted.
    pub fn kill(&self) -> Result<()> {
        match sys::pidfd_signal(self.fd.as_fd(), libc::SIGKILL) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            sent => sent.doing(|| format!("kill process {}", self.pid)),
        }
    }
}

/// The process of machine `id`, if it runs. The pid file is a hint; it may be stale, or missing when we were
/// killed between spawning QEMU and writing it, and then every process is looked at.
pub(super) fn find(id: Uuid, run_dir: &RunDir) -> Result<Option<Process>> {
    if let Some(process) = run_dir.recorded_pid().and_then(|pid| open_machine(pid, id)) {
        return Ok(Some(process));
    }
    for (pid, machine) in all()? {
        if machine == id
            && let Some(process) = open_machine(pid, id)
        {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// The storage daemon with this run directory, if it runs.
pub(crate) fn find_daemon(run_dir: &RunDir) -> Result<Option<Process>> {
    let open = |pid: i32| {
        let process = Process::open(pid).ok()?;
        is_daemon(pid, run_dir).then_some(process)
    };
    if let Some(process) = run_dir.recorded_pid().and_then(open) {
        return Ok(Some(process));
    }
    let entries = fs::read_dir("/proc").doing(|| "list the processes".into())?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| is_daemon(*pid, run_dir)).find_map(open))
}

fn is_daemon(pid: i32, run_dir: &RunDir) -> bool {
    let Ok(line) = command_line(pid) else { return false };
    let mut arguments = line.split(|byte| *byte == 0);
    let is_it = arguments.next().is_some_and(|program| program.ends_with(crate::STORAGE_DAEMON.as_bytes()));
    let own = run_dir.own_pid_file();
    is_it && arguments.any(|argument| argument == own.as_os_str().as_encoded_bytes())
}

/// Every machine that runs on this host with a run directory below `parent`, for audits.
pub fn running_below(parent: &std::path::Path) -> Result<Vec<(Uuid, i32)>> {
    let below = |pid: i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(parent));
    Ok(all()?.into_iter().filter(|(pid, _)| below(*pid)).map(|(pid, id)| (id, pid)).collect())
}

/// Whether a machine other than this one has run under KVM for so long, with a run directory below `parent`.
pub fn runs_long_under_kvm(parent: &std::path::Path, but: Uuid, at_least: Duration) -> Result<bool> {
    let others = running_below(parent)?.into_iter().filter(|(id, _)| *id != but);
    Ok(others.map(|(_, pid)| pid).any(|pid| is_under_kvm(pid) && age(pid).is_some_and(|age| age >= at_least)))
}

fn is_under_kvm(pid: i32) -> bool {
    let line = command_line(pid).unwrap_or_default();
    let arguments: Vec<_> = line.split(|byte| *byte == 0).collect();
    arguments.windows(2).any(|pair| pair[0] == b"-accel" && pair[1].starts_with(b"kvm"))
}

/// How long ago a process began.
fn age(pid: i32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the 22nd field is the 20th behind it.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()?? as f64;
    Some(Duration::from_secs_f64((uptime - ticks / per_second).max(0.0)))
}

fn open_machine(pid: i32, id: Uuid) -> Option<Process> {
    let process = Process::open(pid).ok()?;
    // Looked at after the pidfd was taken: if the number was used again in between, the id does not match.
    (machine_of(pid) == Some(id)).then_some(process)
}

fn all() -> Result<Vec<(i32, Uuid)>> {
    let entries = fs::read_dir("/proc").doing(|| "list the processes".into())?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Some((pid, machine_of(pid)?))).collect())
}

/// The command line of a process, each word ended by a zero byte. It is read in one go: of a process that becomes another program
/// between two reads, the second would tell nothing, and what the first told would be taken for the whole.
pub fn command_line(pid: i32) -> io::Result<Vec<u8>> {
    let mut line = vec![0; 16 * 1024];
    loop {
        let told = fs::File::open(format!("/proc/{pid}/cmdline"))?.read(&mut line)?;
        if told < line.len() {
            line.truncate(told);
            return Ok(line);
        }
        line.resize(2 * told, 0);
    }
}

/// The machine that a process is, told by its command line; a zombie has none. Between two programs, when it lets go of its
/// files already, it has none for an instant, which is waited for: a machine that is just starting is not one that is gone.
fn machine_of(pid: i32) -> Option<Uuid> {
    let deadline = Instant::now() + BETWEEN_PROGRAMS;
    loop {
        let line = command_line(pid).ok()?;
        if !line.is_empty() {
            return machine_named(&line);
        }
        let becomes_ours = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| is_emulator(&program));
        if !becomes_ours || Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_emulator(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(" (deleted)").unwrap_or(&name) == crate::EMULATOR
}

fn machine_named(line: &[u8]) -> Option<Uuid> {
    let mut arguments = line.split(|byte| *byte == 0);
    let program = arguments.next()?;
    if !program.ends_with(crate::EMULATOR.as_bytes()) {
        return None;
    }
    arguments.find(|argument| *argument == b"-uuid")?;
    Uuid::try_parse_ascii(arguments.next()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_machine_is_known_in_the_instant_in_which_its_process_becomes_qemu() {
        // A shell under the emulator's name that becomes itself, again and again.
        let dir = tempfile::tempdir().unwrap();
        let shell = dir.path().join(crate::EMULATOR);
        fs::copy(fs::canonicalize("/bin/sh").unwrap(), &shell).unwrap();
        let id = Uuid::new_v4();
        let again = r#"n=$3; [ $n = 0 ] && { for _ in $(seq 60); do sleep 1; done; exit; }; exec "$0" -c "$4" "$0" -uuid "$2" $((n - 1)) "$4""#;
        let mut command = Command::new(&shell);
        command.args(["-c", again]).arg(&shell).args(["-uuid", &id.to_string(), "300", again]);
        // As a machine is started: a child that shares our memory until it becomes the program would show our command line.
        sys::before_exec(&mut command, || Ok(()));
        let mut child = command.spawn().unwrap();
        let pid = child.id().cast_signed();
        for _ in 0..3000 {
            assert_eq!(machine_of(pid), Some(id), "it was taken for one that is gone");
        }
        child.kill().unwrap();
        let ended = Instant::now();
        while machine_of(pid).is_some() {
            assert!(ended.elapsed() < Duration::from_secs(20));
        }
        child.wait().unwrap();
        assert_eq!(machine_of(pid), None);
    }

    #[test]
    fn only_a_machine_that_is_another_under_kvm_and_old_enough_shows_that_kvm_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let shell = dir.path().join(crate::EMULATOR);
        fs::copy(fs::canonicalize("/bin/sh").unwrap(), &shell).unwrap();
        let id = Uuid::new_v4();
        let mut child = Command::new(&shell)
            .args(["-c", "read _", "sh", "-uuid", &id.to_string(), "-accel", "kvm"])
            .stdin(std::process::Stdio::piped())
            .current_dir(dir.path())
            .spawn()
            .unwrap();
        let shows = |but, seconds| runs_long_under_kvm(dir.path(), but, Duration::from_secs(seconds)).unwrap();
        assert!(shows(Uuid::new_v4(), 0));
        assert!(!shows(Uuid::new_v4(), 3600), "it is not old enough");
        assert!(!shows(id, 0), "it is the one in question");
        assert!(!runs_long_under_kvm(Path::new("/nowhere"), Uuid::new_v4(), Duration::ZERO).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!shows(Uuid::new_v4(), 0), "it is gone");
    }
}
