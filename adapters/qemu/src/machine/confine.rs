// SPDX-License-Identifier: Apache-2.0
//! What a QEMU process loses between fork and exec: its privileges, and most of `/dev`.
//!
//! The hook runs in a fork of a program with threads, so everything it needs is prepared here beforehand and
//! the hook itself makes system calls only.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, SFlag, mknod, umask};
use nix::unistd::{Gid, Uid, chown, mkdir, setgroups, setresgid, setresuid, setsid};

use super::RunAs;

/// Devices that any program may need; they give away nothing.
const COMMON_DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// What a process reaches by itself. Sockets that it is given open work in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Host,
    /// No network at all.
    Nothing,
}

pub(crate) struct Confinement {
    run_as: RunAs,
    reach: Reach,
    inherited: Vec<RawFd>,
    devices: Vec<Device>,
}

struct Device {
    path: CString,
    number: u64,
    /// The machine's user; none for devices that are everyone's.
    owner: Option<Uid>,
}

impl Confinement {
    /// `own` are devices made for its user alone, whatever their mode is on the host.
    pub fn new(run_as: RunAs, own: impl Iterator<Item = &'static str>, inherited: Vec<RawFd>, reach: Reach) -> io::Result<Self> {
        let mut devices = Vec::new();
        for name in COMMON_DEVICES {
            devices.extend(Device::like_host(name, None)?);
        }
        for name in own {
            devices.extend(Device::like_host(name, Some(Uid::from_raw(run_as.uid)))?);
        }
        Ok(Self { run_as, reach, inherited, devices })
    }

    /// Runs in the child. The order matters: mounting needs the privileges that the last steps give up.
    pub fn enter(&self) -> io::Result<()> {
        // A session of its own: whatever ends us, or our terminal, does not end the machine.
        setsid()?;
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)?;
        if self.reach == Reach::Nothing {
            unshare(CloneFlags::CLONE_NEWNET)?;
        }
        // A slave, so that what the host unmounts does not live on in here.
        mount(None::<&str>, c"/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)?;
        self.make_dev()?;
        self.drop_privileges()?;
        for fd in &self.inherited {
            inherit(*fd)?;
        }
        Ok(())
    }

    fn make_dev(&self) -> nix::Result<()> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        mount(Some(c"tmpfs"), c"/dev", Some(c"tmpfs"), flags, Some(c"mode=0755,size=64k"))?;
        umask(Mode::empty());
        mkdir(c"/dev/net", Mode::from_bits_truncate(0o755))?;
        for device in &self.devices {
            let mode = if device.owner.is_some() { 0o600 } else { 0o666 };
            mknod(device.path.as_c_str(), SFlag::S_IFCHR, Mode::from_bits_truncate(mode), device.number)?;
            chown(device.path.as_c_str(), device.owner, None)?;
        }
        umask(Mode::from_bits_truncate(0o077));
        Ok(())
    }

    fn drop_privileges(&self) -> nix::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.run_as.uid), Gid::from_raw(self.run_as.gid));
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
        nix::sys::prctl::set_no_new_privs()
    }
}

fn inherit(fd: RawFd) -> nix::Result<()> {
    let fd = crate::sys::borrow(fd);
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
}

impl Device {
    fn like_host(name: &str, owner: Option<Uid>) -> io::Result<Option<Self>> {
        let path = format!("/dev/{name}");
        match fs::metadata(&path) {
            Ok(is) if is.file_type().is_char_device() => {
                let path = CString::new(path).map_err(io::Error::other)?;
                Ok(Some(Self { path, number: is.rdev(), owner }))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
