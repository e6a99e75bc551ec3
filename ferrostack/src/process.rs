// SPDX-License-Identifier: Apache-2.0
//! A process that cannot be confused with another: held by a pidfd, since its number may be used again.
#![allow(unsafe_code)]

use std::{
    fs, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::sys::signal::Signal;

pub struct Process {
    pub pid: i32,
    fd: OwnedFd,
}

/// For how long a process may be between two programs, on a machine that is busy.
const BETWEEN_PROGRAMS: Duration = Duration::from_secs(1);

impl Process {
    /// Takes hold of a process, if there is one of this number and it has not ended.
    pub fn hold(pid: i32) -> Option<Self> {
        // SAFETY: the call takes two integers, and a result that is not negative is a descriptor that is ours.
        let fd = unsafe {
            let fd = RawFd::try_from(libc::syscall(libc::SYS_pidfd_open, pid, 0)).ok().filter(|fd| *fd >= 0)?;
            OwnedFd::from_raw_fd(fd)
        };
        let process = Self { pid, fd };
        (!process.ended_within(Duration::ZERO)).then_some(process)
    }

    /// Waits for its end, which it tells by itself; true if it came in time. One that nobody has reaped yet has ended.
    pub fn ended_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let milliseconds = libc::c_int::try_from(left.as_millis()).unwrap_or(libc::c_int::MAX);
            let mut watched = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: the one entry is ours for the length of the call.
            match unsafe { libc::poll(&raw mut watched, 1, milliseconds) } {
                1 => return true,
                0 => return false,
                _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                _ => return false,
            }
        }
    }

    /// That it has ended already is fine.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let no_details = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open for the length of the call, and a null siginfo is allowed.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal as i32, no_details, 0) };
        match io::Error::last_os_error() {
            error if sent < 0 && error.raw_os_error() != Some(libc::ESRCH) => {
                Err(error).with_context(|| format!("end the process {}", self.pid))
            }
            _ => Ok(()),
        }
    }

    /// Its command line. A process that becomes another program has none for an instant, which is waited for; one that has
    /// ended, or is the kernel's own, has none at all.
    pub fn arguments(&self) -> Vec<Vec<u8>> {
        let deadline = Instant::now() + BETWEEN_PROGRAMS;
        loop {
            let line = qemu::machine::command_line(self.pid).unwrap_or_default();
            if !line.is_empty() {
                let told = line.strip_suffix(&[0]).unwrap_or(&line);
                return told.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
            }
            let has_program = fs::read_link(format!("/proc/{}/exe", self.pid)).is_ok();
            if !has_program || self.ended_within(Duration::ZERO) || Instant::now() > deadline {
                return Vec::new();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_while_it_becomes_one_program_after_the_other() {
        // A shell that becomes itself, again and again: its command line is empty between two of them.
        let again = r#"n=$1; [ $n = 0 ] && exec sleep 60; exec sh -c "$0" "$0" $((n - 1)) the-mark"#;
        let mut child = Command::new("sh").args(["-c", again, again, "400", "the-mark"]).spawn().unwrap();
        let process = Process::hold(i32::try_from(child.id()).unwrap()).unwrap();
        loop {
            let arguments = process.arguments();
            assert!(!arguments.is_empty(), "it was taken for one that has ended");
            if arguments.first().is_some_and(|program| program == b"sleep") {
                break;
            }
        }
        process.signal(Signal::SIGKILL).unwrap();
        assert!(process.ended_within(Duration::from_secs(20)));
        assert!(process.arguments().is_empty(), "it has ended, and nobody has reaped it yet");
        assert!(Process::hold(process.pid).is_none());
        process.signal(Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        process.signal(Signal::SIGKILL).unwrap();
    }
}
