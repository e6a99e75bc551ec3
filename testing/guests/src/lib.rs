// SPDX-License-Identifier: Apache-2.0
//! Guests of a few instructions, as disks whose boot sector the firmware loads. Their source is `guests.s`: processor code
//! that lies in this library as data.
#![allow(unsafe_code)]

use std::ptr;

const SECTOR: usize = 512;

/// The BIOS does not boot a disk of less than a cylinder.
const DISK: usize = 1 << 20;

core::arch::global_asm!(include_str!("guests.s"), options(att_syntax, raw));

macro_rules! guests {
    ($($(#[$what:meta])* $name:ident: $begin:ident..$end:ident;)*) => {
        unsafe extern "C" {
            $(static $begin: u8; static $end: u8;)*
        }
        $(
            $(#[$what])*
            pub fn $name() -> Vec<u8> {
                // SAFETY: the two symbols are the ends of one run of initialised bytes that nobody writes to.
                let code = unsafe {
                    let begin = &raw const $begin;
                    let length = usize::try_from((&raw const $end).offset_from(begin)).unwrap_or_default();
                    &*ptr::slice_from_raw_parts(begin, length)
                };
                bootable(code)
            }
        )*
    };
}

guests! {
    /// Says "hello" on its serial port, then idles until its power button is pressed and turns itself off.
    obedient: guest_obedient..guest_obedient_end;
    /// Like the obedient one; and it lets go of devices when it is asked to.
    courteous: guest_courteous..guest_courteous_end;
    /// Says "hello", then what is typed on its serial port, small letters large and large ones small, and is obedient.
    answering: guest_answering..guest_answering_end;
    /// Turns itself off as soon as it runs.
    tired: guest_tired..guest_tired_end;
    /// Idles and listens to nothing.
    stubborn: guest_stubborn..guest_stubborn_end;
    /// Says "hello", then that its kernel panicked; if it runs on nevertheless, it says "on" and is obedient.
    panicking: guest_panicking..guest_panicking_end;
    /// Says "hello", writes the first 8 MiB of its disk, says "done" and is obedient; "lost" if a write failed.
    writing: guest_writing..guest_writing_end;
    /// Under KVM it does what no KVM can run; under any other accelerator it is obedient.
    unfit_for_kvm: guest_unfit_for_kvm..guest_unfit_for_kvm_end;
    /// Winds up its watchdog, says "hello", and does not feed it.
    forgetful: guest_forgetful..guest_forgetful_end;
}

fn bootable(code: &[u8]) -> Vec<u8> {
    assert!(code.len() <= SECTOR - 2, "a guest of {} bytes does not fit into a boot sector", code.len());
    let mut disk = code.to_vec();
    disk.resize(SECTOR - 2, 0);
    disk.extend([0x55, 0xaa]);
    disk.resize(DISK, 0);
    disk
}
