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

use super::{MachineSpec, RunAs};
use crate::Accelerator;

/// Devices that any program may need; they give away nothing.
const COMMON_DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Devices made for the machine's user alone, whatever their mode is on the host.
fn devices_of(spec: &MachineSpec) -> impl Iterator<Item = &'static str> {
    let kvm = (spec.accelerator == Accelerator::Kvm).then_some("kvm");
    // Also without cards: one may be plugged in later. Without privileges it opens the machine's own taps and no others.
    kvm.into_iter().chain(["net/tun"])
}

pub(super) struct Confinement {
    run_as: RunAs,
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
    pub fn new(spec: &MachineSpec, inherited: Vec<RawFd>) -> io::Result<Self> {
        let run_as = spec.run_as;
        let mut devices = Vec::new();
        for name in COMMON_DEVICES {
            devices.extend(Device::like_host(name, None)?);
        }
        for name in devices_of(spec) {
            devices.extend(Device::like_host(name, Some(Uid::from_raw(run_as.uid)))?);
        }
        Ok(Self { run_as, inherited, devices })
    }

    /// Runs in the child. The order matters: mounting needs the privileges that the last steps give up.
    pub fn enter(&self) -> io::Result<()> {
        // A session of its own: whatever ends us, or our terminal, does not end the machine.
        setsid()?;
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)?;
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
