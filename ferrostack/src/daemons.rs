// SPDX-License-Identifier: Apache-2.0
//! Our own processes, the roles: started in a session of their own, known by a lock that they hold, ended by their id and
//! nobody else's.
//!
//! A role holds the lock on `run/ROLE.lock` for as long as it lives, and the kernel lets go of it however it ends. Its process
//! number is in there, and in `run/ROLE.pid` for everybody else. Who starts a role writes the latter too, so that one that
//! has not come so far yet is known, by its command line.
//!
//! Invariant: a role that is just starting is not taken for one that ended (test: `a_role_is_known_from_its_start_to_its_end`).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    sys::signal::Signal,
};

use crate::{home::Home, process::Process};

/// In the order in which they are started.
pub const ROLES: [&str; 2] = ["controller", "node"];

/// What is killed ends at once, as soon as the kernel comes to it.
const AFTER_KILL: Duration = Duration::from_secs(10);
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_AGAIN: Duration = Duration::from_millis(20);
/// The most of a log that is shown.
const LAST_WORDS: usize = 15;

/// This process has the role, for as long as it holds this.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
}

/// A role that was just started, or was found.
pub struct Started {
    /// None if somebody else is its parent: then it has ended when it does not run.
    child: Option<Child>,
    /// How long its log was before.
    pub said_before: u64,
}

impl Started {
    pub fn elsewhere(said_before: u64) -> Self {
        Self { child: None, said_before }
    }

    /// For a role that is not found running: what we started ourselves tells whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

/// Takes a role for this process. One controller and one agent a home, however they were started.
pub fn claim(home: &Home, role: &str) -> anyhow::Result<Claim> {
    let own = i32::try_from(std::process::id()).context("a pid fits into an i32")?;
    if let Some(other) = running(home, role).filter(|other| other.pid != own) {
        bail!("the {role} of this cloud runs already (pid {})", other.pid);
    }
    let path = lock_file(home, role);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut lock = opened.with_context(|| format!("open {}", path.display()))?;
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match fcntl(&lock, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
            Ok(_) => break,
            // A child that one who was killed had just forked holds all his files until it becomes another program.
            Err(Errno::EACCES | Errno::EAGAIN) if Instant::now() < patience => thread::sleep(LOCK_AGAIN),
            Err(Errno::EACCES | Errno::EAGAIN) => bail!("the {role} of this cloud is being started by somebody else, too"),
            Err(error) => return Err(error).with_context(|| format!("lock {}", path.display())),
        }
    }
    let note = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{own}"));
    note.with_context(|| format!("write {}", path.display()))?;
    write_pid(home, role, own)?;
    Ok(Claim { _lock: lock })
}

/// The process that has a role (`controller`, `node`) of this cloud, or is about to.
pub fn running(home: &Home, role: &str) -> Option<Process> {
    holder(&lock_file(home, role)).or_else(|| beginner(home, role))
}

/// Who holds the lock.
fn holder(lock: &Path) -> Option<Process> {
    let mut file = File::open(lock).ok()?;
    let mut asked = whole_file(libc::F_WRLCK);
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut asked)).ok()?;
    if libc::c_int::from(asked.l_type) == libc::F_UNLCK {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    // If it has not written it yet, it is still known as one that begins.
    Process::hold(text.trim().parse().ok()?)
}

/// One that was started and has not come to its lock yet, or is of a build that took none. Its number may have been used
/// again: it must be told to have this role in this home.
fn beginner(home: &Home, role: &str) -> Option<Process> {
    let text = fs::read_to_string(pid_file(home, role)).ok()?;
    let process = Process::hold(text.trim().parse().ok()?)?;
    let arguments = process.arguments();
    let has = |word: &[u8]| arguments.iter().any(|argument| argument == word);
    (has(role.as_bytes()) && has(home.state.as_os_str().as_encoded_bytes())).then_some(process)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock { l_type: kind as libc::c_short, l_whence: libc::SEEK_SET as libc::c_short, l_start: 0, l_len: 0, l_pid: 0 }
}

/// Starts a role of this binary so that it outlives us, in a network namespace if one is named.
pub fn start(home: &Home, role: &str, namespace: Option<&str>) -> anyhow::Result<Started> {
    let program = std::env::current_exe().context("find our own binary")?;
    let log_path = log_file(home, role);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(&log_path)
        .with_context(|| format!("open {}", log_path.display()))?;
    let said_before = said(home, role);
    let mut command = match namespace {
        None => Command::new(program),
        // `ip` enters the namespace and then becomes the program, so that the pid stays.
        Some(name) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", name]).arg(program);
            command
        }
    };
    command.arg(role).arg("--home").arg(&home.state);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir("/");
    // A session of its own: outside tools account for it, and a closed terminal does not end it.
    #[allow(unsafe_code)]
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
    let child = command.spawn().with_context(|| format!("start the {role}"))?;
    write_pid(home, role, i32::try_from(child.id()).context("a pid fits into an i32")?)?;
    Ok(Started { child: Some(child), said_before })
}

fn write_pid(home: &Home, role: &str, pid: i32) -> anyhow::Result<()> {
    let path = pid_file(home, role);
    // The one who starts a role writes it, and so does the role: each its own file until it is whole.
    let temporary = path.with_extension(format!("pid.{}", std::process::id()));
    fs::write(&temporary, format!("{pid}\n")).with_context(|| format!("write {}", temporary.display()))?;
    fs::rename(&temporary, &path).with_context(|| format!("write {}", path.display()))
}

/// Asks a role to end and waits for it; after the patience is over, ends it. Whether there was one.
pub fn stop(home: &Home, role: &str, patience: Duration) -> anyhow::Result<bool> {
    let found = running(home, role);
    if let Some(process) = &found {
        process.signal(Signal::SIGTERM)?;
        if !process.ended_within(patience) {
            process.signal(Signal::SIGKILL)?;
            if !process.ended_within(AFTER_KILL) {
                bail!("the {role} (pid {}) does not end, not even when it is killed", process.pid);
            }
        }
    }
    let _ = fs::remove_file(pid_file(home, role));
    Ok(found.is_some())
}

fn pid_file(home: &Home, role: &str) -> PathBuf {
    home.run().join(format!("{role}.pid"))
}

fn lock_file(home: &Home, role: &str) -> PathBuf {
    home.run().join(format!("{role}.lock"))
}

pub fn log_file(home: &Home, role: &str) -> PathBuf {
    home.logs().join(format!("{role}.log"))
}

/// How much a role has said so far, all its starts together.
pub fn said(home: &Home, role: &str) -> u64 {
    fs::metadata(log_file(home, role)).map_or(0, |log| log.len())
}

/// The last lines that a role said since its log was so long, for a message that says why it did not come up.
pub fn last_words(home: &Home, role: &str, said_before: u64) -> String {
    let log = fs::read(log_file(home, role)).unwrap_or_default();
    // A log that is shorter now was begun anew meanwhile.
    let since = usize::try_from(said_before).ok().and_then(|before| log.get(before..)).unwrap_or(&log);
    let text = String::from_utf8_lossy(since);
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [] => "(it said nothing)".to_owned(),
        lines => lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.ensure().unwrap();
        (folder, home)
    }

    #[test]
    fn a_role_is_known_from_its_start_to_its_end() {
        let (_folder, home) = home();
        assert!(running(&home, "node").is_none());
        // As `ip netns exec` does: several programs, one after the other, and then one that takes its time.
        let state = home.state.to_str().unwrap();
        let several = r#"n=$1; shift; [ $n = 0 ] && { read _; exit; }; exec sh -c "$0" "$0" $((n - 1)) "$@""#;
        let mut child = Command::new("sh")
            .args(["-c", several, several, "200", "node", "--home", state])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // Started in a simpler way than a role is, it shows our own command line for an instant.
        let process = Process::hold(pid).unwrap();
        while !process.arguments().contains(&b"node".to_vec()) {}
        write_pid(&home, "node", pid).unwrap();
        for _ in 0..2000 {
            assert_eq!(running(&home, "node").unwrap().pid, pid, "it was taken for one that ended");
        }
        assert!(running(&home, "controller").is_none(), "it has another role");
        assert!(claim(&home, "node").unwrap_err().to_string().contains("runs already"));
        assert!(stop(&home, "node", Duration::from_secs(20)).unwrap());
        assert!(running(&home, "node").is_none(), "it ended, and nobody has reaped it yet");
        assert!(!stop(&home, "node", Duration::ZERO).unwrap());
        child.wait().unwrap();
    }

    #[test]
    fn the_lock_tells_who_has_a_role_and_ends_with_him() {
        let (_folder, home) = home();
        let claimed = claim(&home, "controller").unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        // A number that was used again does not matter: the lock tells.
        fs::write(pid_file(&home, "controller"), "1\n").unwrap();
        assert_eq!(running(&home, "controller").unwrap().pid, own);
        let again = OpenOptions::new().read(true).write(true).open(lock_file(&home, "controller")).unwrap();
        assert!(fcntl(&again, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))).is_err(), "two have one role");
        drop((claimed, again));
        // A test beside this one may just be forking.
        let ended = (0..200).any(|_| running(&home, "controller").is_none() || (thread::sleep(LOCK_AGAIN), false).1);
        assert!(ended, "the file stays, and says nothing without its lock");
        claim(&home, "controller").unwrap();
    }

    #[test]
    fn only_what_was_said_since_the_start_is_shown() {
        let (_folder, home) = home();
        fs::write(log_file(&home, "node"), "an old trouble\n").unwrap();
        let before = said(&home, "node");
        assert_eq!(last_words(&home, "node", before), "(it said nothing)");
        let more: String = (0..20).map(|number| format!("line {number}\n")).collect();
        fs::write(log_file(&home, "node"), format!("an old trouble\n{more}")).unwrap();
        let words = last_words(&home, "node", before);
        assert!(words.starts_with("line 5\n") && words.ends_with("line 19"), "{words}");
        fs::write(log_file(&home, "node"), "anew\n").unwrap();
        assert_eq!(last_words(&home, "node", before), "anew");
    }
}
