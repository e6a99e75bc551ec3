// SPDX-License-Identifier: Apache-2.0
//! The system calls that the safe crates do not offer: all `unsafe` of this crate, but for the two symbols of
//! [`crate::accelerator`]'s guest.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A handle on a process that stays right when its number is used again.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers, and a result that is not negative is a descriptor that is ours.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// Registers a pidfd with the runtime, which makes it readable when the process ends.
pub fn watch(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names the same open descriptor for as long as the AsyncFd owns it.
    unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) }.map_err(io::Error::from)
}

pub fn pidfd_signal(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_details = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and means "as kill(2) would".
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, no_details, 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Runs `hook` in the child between fork and exec.
///
/// The hook must do nothing but system calls on data prepared beforehand: no allocation, no lock.
pub fn before_exec(command: &mut Command, hook: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: the one caller, `machine::confine`, keeps to what is async-signal-safe, as said above.
    unsafe {
        command.pre_exec(hook);
    }
}

/// `TUNSETIFF` and the interface ioctls, which all take an `ifreq`.
pub fn interface_ioctl(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the argument is a valid ifreq for the whole call, which is what these requests read and write.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(argument)) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The ioctls of a tap that take a plain number.
pub fn number_ioctl(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: these requests take their argument by value.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `struct ethtool_value` of `linux/ethtool.h`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Sets one on/off feature of an interface.
pub fn ethtool_set(fd: BorrowedFd<'_>, mut request: libc::ifreq, command: u32, data: u32) -> io::Result<()> {
    let mut value = EthtoolValue { command, data };
    request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut value).cast();
    // SAFETY: `ifr_data` points at a live ethtool_value, which is what SIOCETHTOOL with this command reads.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCETHTOOL, std::ptr::from_mut(&mut request)) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An `ifreq` that names `interface` and is zero otherwise. The name must be shorter than 16 bytes.
pub fn ifreq(interface: &str) -> libc::ifreq {
    // SAFETY: all-zero is a valid ifreq: it is integers and a pointer that may be null.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request
}

/// A descriptor that is known to be open by its number only, in the child after a fork.
pub fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: `machine::confine` names only descriptors that `machine::launch` holds open across the spawn.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
