// SPDX-License-Identifier: Apache-2.0
//! A process that is not our child, held by a pidfd so that its number cannot come to mean another.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{Error, Result};

/// A daemon that was running when we looked.
#[derive(Debug)]
pub struct Running {
    pid: i32,
    pidfd: AsyncFd<OwnedFd>,
}

impl Running {
    /// Takes hold of a process, if there is one of this number.
    pub(super) fn hold(pid: i32) -> Result<Option<Self>> {
        let failed = |source| Error::Process { act: "hold", pid, source };
        let pidfd = match open_pidfd(pid) {
            Ok(pidfd) => pidfd,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let pidfd = watch(pidfd).map_err(failed)?;
        Ok(Some(Self { pid, pidfd }))
    }

    /// The process number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until the process has ended.
    pub async fn ended(&self) -> Result<()> {
        let ready = self.pidfd.readable().await;
        ready.map(|_| ()).map_err(|source| Error::Process { act: "watch", pid: self.pid, source })
    }

    /// Sends a signal. One that has ended already needs none.
    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        match send_signal(self.pidfd.get_ref(), signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::Process { act: "signal", pid: self.pid, source: error })
            }
            _ => Ok(()),
        }
    }

    /// The executable. Meaningful only while the process lives, which [`Self::lives`] tells afterwards.
    pub(super) fn executable(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{}/exe", self.pid)).ok()
    }

    /// The command line; empty once the process has ended.
    pub(super) fn command_line(&self) -> Vec<OsString> {
        let Ok(bytes) = read_at_once(&format!("/proc/{}/cmdline", self.pid)) else { return Vec::new() };
        let Some(bytes) = bytes.strip_suffix(&[0]) else { return Vec::new() };
        bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    /// Whether the process we hold lives, so that what `/proc` has told of its number was told of it. One that has ended
    /// takes signals until its parent has taken notice, but has no command line any more.
    pub(super) fn lives(&self) -> bool {
        !self.command_line().is_empty() && send_signal(self.pidfd.get_ref(), 0).is_ok()
    }
}

/// Between two reads a process may become another program, and its command line be empty for the second.
fn read_at_once(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 16 * 1024];
    let told = File::open(path)?.read(&mut bytes)?;
    bytes.truncate(told);
    Ok(bytes)
}

/// Reads a pid file. One that is absent, empty or garbled names no process.
pub(super) fn read_pid_file(path: &Path) -> Option<i32> {
    let pid: i32 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    (pid > 1).then_some(pid)
}

#[allow(unsafe_code)]
fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A pidfd becomes readable when its process ends.
#[allow(unsafe_code)]
fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names the same open descriptor for as long as it lives, and only the AsyncFd has it.
    let watched = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    watched.map_err(|error| error.into_parts().1)
}

#[allow(unsafe_code)]
fn send_signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    let no_details = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open for the length of the call, and a null siginfo is allowed.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_details, 0) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
