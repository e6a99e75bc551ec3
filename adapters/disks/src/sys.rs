// SPDX-License-Identifier: Apache-2.0
//! The one `unsafe` call of this crate.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use tokio::process::Command;

/// Runs `hook` in the child between fork and exec.
///
/// The hook must do nothing but system calls on data prepared beforehand: no allocation, no lock.
pub fn before_exec(command: &mut Command, hook: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: the one caller, `cage`, keeps to what is async-signal-safe, as said above.
    unsafe {
        command.pre_exec(hook);
    }
}

/// A descriptor that is known to be open by its number only, in the child after a fork.
pub fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: `cage` names only descriptors that it holds open across the spawn.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
