// SPDX-License-Identifier: Apache-2.0
//! Guests of a few instructions, as images whose boot sector the BIOS loads, and machines that run them.

use std::collections::BTreeMap;

use contracts::node::{InstanceMetadata, MachineDesired, Power, RebootKind, RootDisk};
use types::{Generation, ImageId, ProjectId, Secret, ServerId};

use super::cloud::Cloud;

const SECTOR: usize = 512;
/// The BIOS does not boot a disk of less than a cylinder.
const DISK: usize = 1 << 20;

/// Says "hello" on its serial port, then idles until its power button is pressed and turns itself off.
pub(super) fn obedient() -> Vec<u8> {
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
    ]);
    code.extend(POWER_OFF);
    bootable(&code)
}

/// Turns itself off as soon as it runs.
pub(super) fn tired() -> Vec<u8> {
    bootable(&POWER_OFF)
}

/// mov dx, 0x604; mov ax, 0x2000; out dx, ax: off; jmp to itself
const POWER_OFF: [u8; 9] = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xeb, 0xfe];

fn bootable(code: &[u8]) -> Vec<u8> {
    let mut disk = code.to_vec();
    disk.resize(SECTOR - 2, 0);
    disk.extend([0x55, 0xaa]);
    disk.resize(DISK, 0);
    disk
}

/// A machine that bears this name, of an image that is not there.
pub(crate) fn of_nobody(hostname: &str) -> MachineDesired {
    let mut machine = of_image(String::new(), 0);
    machine.metadata.hostname = hostname.into();
    machine
}

/// A machine of this image, wanted running, without ports.
pub(super) fn machine(cloud: &Cloud, image: &[u8]) -> MachineDesired {
    of_image(cloud.image(image), image.len() as u64)
}

fn of_image(sha512: String, image_size: u64) -> MachineDesired {
    MachineDesired {
        server_id: ServerId::generate(),
        generation: Generation(1),
        project_id: ProjectId::generate(),
        power: Power::Running,
        reboots: 0,
        reboot: RebootKind::Soft,
        vcpus: 1,
        memory_mb: 32,
        root: RootDisk { image_id: ImageId::generate(), sha512, format: "raw".into(), image_size, size: 8 << 20 },
        nics: vec![],
        config_drive: false,
        metadata: InstanceMetadata {
            hostname: "web".into(),
            name: "Web".into(),
            availability_zone: "nova".into(),
            launch_index: 0,
            flavor: "m1.tiny".into(),
            public_keys: BTreeMap::from([("mine".into(), "ssh-ed25519 AAAA".into())]),
            meta: BTreeMap::from([("role".into(), "front".into())]),
            user_data: Some(Secret::new("aGVsbG8gZ3Vlc3Q=".into())),
            admin_password: None,
            floating_ips: vec![],
            reservation_id: "r-1".into(),
            security_groups: vec!["default".into()],
        },
        snapshot: None,
    }
}

/// The same machine, wanted anew.
pub(super) fn next(machine: &MachineDesired, change: impl FnOnce(&mut MachineDesired)) -> MachineDesired {
    let mut machine = machine.clone();
    machine.generation = machine.generation.next();
    change(&mut machine);
    machine
}
