// SPDX-License-Identifier: Apache-2.0
//! The directory of one running machine. Root owns it, so a QEMU that was taken over can neither replace a
//! socket that we connect to nor plant a link where we write; only its own `own/` is writable to it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RunAs;
use crate::Result;
use crate::error::{Doing, Error};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunDir(PathBuf);

impl RunDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn qmp_socket(&self) -> PathBuf {
        self.0.join("qmp")
    }

    /// The guest's first serial port. It serves one client at a time.
    pub fn serial_socket(&self) -> PathBuf {
        self.0.join("serial")
    }

    pub fn vnc_socket(&self) -> PathBuf {
        self.0.join(Self::VNC)
    }

    /// The same from where QEMU stands.
    pub(crate) const VNC: &str = "own/vnc";

    /// QEMU's own: it removes it when it ends in an orderly way.
    pub(crate) fn own_pid_file(&self) -> PathBuf {
        self.own().join("pid")
    }

    /// Whether the process that is no more was ended by force: killed, or by a failure of its own.
    pub fn tells_of_force(&self) -> bool {
        self.own_pid_file().exists()
    }

    pub fn pid_file(&self) -> PathBuf {
        self.0.join("pid")
    }

    /// What QEMU itself had to say.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    fn own(&self) -> PathBuf {
        self.0.join("own")
    }

    pub(crate) fn ensure(&self, run_as: RunAs) -> Result<()> {
        let doing = || format!("make the run directory {}", self.0.display());
        DirBuilder::new().recursive(true).mode(0o711).create(&self.0).doing(doing)?;
        chown(&self.0, Some(0), Some(run_as.gid)).doing(doing)?;
        std::fs::set_permissions(&self.0, Permissions::from_mode(0o710)).doing(doing)?;
        match DirBuilder::new().mode(0o700).create(self.own()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).doing(doing),
            _ => lchown(self.own(), Some(run_as.uid), Some(run_as.gid)).doing(doing),
        }
    }

    /// Taken before QEMU is spawned and inherited by it: the kernel holds it exactly as long as the process lives.
    /// `None` if it is held already.
    ///
    /// Invariant: a machine never has two QEMU processes (test: `a_second_start_is_refused_while_the_first_lives`).
    pub(crate) fn lock(&self) -> Result<Option<File>> {
        self.try_lock(OpenOptions::new().create(true).truncate(false).write(true).mode(0o600))
    }

    /// Whether a process of this machine may be alive. A lock that was never made is held by nobody.
    pub(crate) fn is_locked(&self) -> Result<bool> {
        match self.try_lock(OpenOptions::new().write(true)) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            lock => Ok(lock?.is_none()),
        }
    }

    fn try_lock(&self, options: &OpenOptions) -> Result<Option<File>> {
        let doing = || format!("lock {}", self.lock_file().display());
        let file = options.open(self.lock_file()).doing(doing)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error).doing(doing),
        }
    }

    /// A socket that listens before QEMU exists, so that nobody has to poll for it to appear.
    pub(crate) fn listen(&self, socket: &Path) -> Result<UnixListener> {
        let doing = || format!("listen on {}", socket.display());
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).doing(doing);
            }
            _ => {}
        }
        let listener = crate::socket::listen(socket).doing(doing)?;
        std::fs::set_permissions(socket, Permissions::from_mode(0o600)).doing(doing)?;
        Ok(listener)
    }

    pub(crate) fn record_pid(&self, pid: i32) -> Result<()> {
        let fresh = self.0.join("pid.new");
        let written = std::fs::write(&fresh, format!("{pid}\n")).and_then(|()| std::fs::rename(&fresh, self.pid_file()));
        written.doing(|| format!("write {}", self.pid_file().display()))
    }

    pub(crate) fn recorded_pid(&self) -> Option<i32> {
        std::fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
    }

    /// Removes what is left of a machine that is gone.
    pub(crate) fn remove(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing(|| format!("remove {}", self.0.display())),
            _ => Ok(()),
        }
    }
}

/// Opens a log that only root writes to and that QEMU is handed open.
pub(crate) fn open_log(path: &Path) -> Result<File> {
    let options = OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW).clone();
    options.open(path).doing(|| format!("open {}", path.display()))
}

/// Gives a disk to the machine's user. It follows no link and touches nothing but a regular file with one name,
/// or a QEMU that was taken over could have us hand it a file of its choice.
pub(crate) fn hand_over(disk: &Path, run_as: RunAs) -> Result<()> {
    let doing = || format!("hand {} to the machine's user", disk.display());
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(disk).doing(doing)?;
    let is = file.metadata().doing(doing)?;
    if !is.is_file() || is.nlink() != 1 {
        return Err(Error::Spec(format!("{} is not a plain file with one name", disk.display())));
    }
    if (is.uid(), is.gid()) != (run_as.uid, run_as.gid) {
        std::os::unix::fs::fchown(&file, Some(run_as.uid), Some(run_as.gid)).doing(doing)?;
    }
    if is.mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600)).doing(doing)?;
    }
    Ok(())
}
