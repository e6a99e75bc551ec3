// SPDX-License-Identifier: Apache-2.0
//! Guests of a few instructions, as disks whose boot sector the BIOS loads.

const SECTOR: usize = 512;

/// The BIOS does not boot a disk of less than a cylinder.
const DISK: usize = 1 << 20;

/// The I/O port of the `isa-debug-exit` device that [`ending`] writes to.
pub(crate) const EXIT_PORT: u8 = 0xf4;

const EXIT_VALUE: u8 = 0x31;

/// What QEMU exits with when the guest wrote its byte: no failure of QEMU's own has this code.
pub(crate) const EXIT_CODE: i32 = (EXIT_VALUE as i32) << 1 | 1;

/// A guest that ends its machine as soon as it runs.
pub(crate) fn ending() -> Vec<u8> {
    bootable(&[
        0xb0, EXIT_VALUE, // mov al, value
        0xe6, EXIT_PORT, // out port, al
        0xf4,      // hlt
        0xeb, 0xfd, // jmp to the hlt
    ])
}

/// A guest that says "hello" on its serial port, then idles until its power button is pressed and turns itself off.
#[cfg(test)]
pub(crate) fn obedient() -> Vec<u8> {
    let mut code = vec![0xba, 0xf8, 0x03]; // mov dx, 0x3f8: the first serial port
    for letter in *b"hello\n" {
        code.extend([0xb0, letter, 0xee]); // mov al, letter; out dx, al
    }
    code.extend([
        0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef, // mov dx, 0x602; mov ax, 0x100; out dx, ax: listen to the button
        0xba, 0x00, 0x06, // mov dx, 0x600: the ACPI status
        0xfb, 0xf4, // sti; hlt: until the next tick of the clock
        0xed, 0xf6, 0xc4, 0x01, // in ax, dx; test ah, 1: was it pressed?
        0x74, 0xf8, // jz to the sti
        0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, // mov dx, 0x604; mov ax, 0x2000; out dx, ax: off
        0xeb, 0xfe, // jmp to itself
    ]);
    bootable(&code)
}

/// A guest that idles and listens to nothing.
#[cfg(test)]
pub(crate) fn stubborn() -> Vec<u8> {
    bootable(&[0xfb, 0xf4, 0xeb, 0xfc]) // sti; hlt; jmp to the sti
}

fn bootable(code: &[u8]) -> Vec<u8> {
    let mut disk = code.to_vec();
    disk.resize(SECTOR - 2, 0);
    disk.extend([0x55, 0xaa]);
    disk.resize(DISK, 0);
    disk
}
