// SPDX-License-Identifier: Apache-2.0
//! Machines that run guests of a few instructions.

use std::collections::BTreeMap;

use contracts::node::{Device, InstanceMetadata, MachineDesired, Power, RebootKind, Role, RootDisk, SnapshotDesired, Ticket};
use types::{Generation, ImageId, ProjectId, Secret, ServerId};

use super::cloud::Cloud;

pub(super) use guests::*;

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
    let root = RootDisk {
        image_id: ImageId::generate(),
        sha512,
        format: "raw".into(),
        image_size,
        size: 8 << 20,
        tag: None,
        made: false,
        edition: 0,
        ticket: None,
    };
    MachineDesired {
        server_id: ServerId::generate(),
        generation: Generation(1),
        project_id: ProjectId::generate(),
        role: Role::Run,
        exclusive: false,
        power: Power::Running,
        reboots: 0,
        reboot: RebootKind::Soft,
        vcpus: 1,
        memory_mb: 32,
        devices: vec![Device::Root(root)],
        watchdog: None,
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
            guest_password: None,
            floating_ips: vec![],
            reservation_id: "r-1".into(),
            security_groups: vec!["default".into()],
        },
        snapshot: None,
        kept: None,
    }
}

/// A copy of the disk for this image; who says that it is wanted adds the ticket.
pub(super) fn copy_for(image: &ImageId) -> SnapshotDesired {
    SnapshotDesired { image_id: image.clone(), ticket: Ticket::new(String::new()) }
}

/// The same machine, wanted anew.
pub(super) fn next(machine: &MachineDesired, change: impl FnOnce(&mut MachineDesired)) -> MachineDesired {
    let mut machine = machine.clone();
    machine.generation = machine.generation.next();
    change(&mut machine);
    machine
}
