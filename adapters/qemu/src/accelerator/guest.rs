// SPDX-License-Identifier: Apache-2.0
//! The probe's guest as a disk image. Its source is `guest.s`: processor code of 16, 32 and 64 bits that lies in this
//! program as data.
#![allow(unsafe_code)]

use std::ptr;

/// The BIOS does not boot a disk of less than a cylinder.
const DISK: usize = 1 << 20;

/// The I/O ports at which it ends its machine, and at which it says how far it is.
pub(super) const EXIT_PORT: u8 = 0xf4;
pub(super) const SAY_PORT: u8 = 0xe9;

/// What QEMU exits with when the guest came to its end, or found something wrong: no failure of QEMU's own has these codes.
pub(super) const DONE: i32 = 0x31 << 1 | 1;
pub(super) const WRONG: i32 = 0x32 << 1 | 1;

core::arch::global_asm!(include_str!("guest.s"), options(att_syntax, raw));

unsafe extern "C" {
    static ferrostack_probe_start: u8;
    static ferrostack_probe_end: u8;
}

pub(super) fn disk() -> Vec<u8> {
    // SAFETY: the two symbols are the ends of one run of initialised bytes that nobody writes to.
    let code = unsafe {
        let start = &raw const ferrostack_probe_start;
        let length = usize::try_from((&raw const ferrostack_probe_end).offset_from(start)).unwrap_or_default();
        &*ptr::slice_from_raw_parts(start, length)
    };
    let mut disk = code.to_vec();
    disk.resize(DISK, 0);
    disk
}
