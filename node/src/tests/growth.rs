// SPDX-License-Identifier: Apache-2.0
//! A volume grows under a machine of another host.

use contracts::node::{Device, DeviceId, DeviceState, DiskDesired, MachineState, VolumeState};
use qemu::{Qmp, RunDir, block::Source};
use types::AttachmentId;

use super::{
    cloud::Cloud,
    disks::folder,
    guest,
    volume_room::{MIB, blank, next, open_to},
};

#[tokio::test]
async fn a_volume_that_grows_is_larger_at_once_for_a_machine_of_another_host() {
    let (cloud, one, first) = Cloud::with_a_node().await;
    let two = cloud.node("two").await;
    let second = cloud.facts("two").await.unwrap().id;
    let volume = open_to(&blank(), Some(&second));
    cloud.want_volume(&first, &volume);
    let way = cloud.way(&volume).await;
    let disk = DiskDesired {
        volume_id: volume.volume_id.clone(),
        attachment_id: AttachmentId::generate(),
        size: volume.size,
        read_only: false,
        boot: false,
        tag: None,
        way,
    };
    let machine = guest::machine(&cloud, &guest::obedient());
    let machine = guest::next(&machine, |machine| machine.devices.push(Device::Disk(disk)));
    cloud.run(&second, &machine).await;

    let grown = next(&volume, |volume| volume.size = 16 * MIB);
    assert_eq!(cloud.volume(&first, &grown).await.state, VolumeState::Ready { size: 16 * MIB });
    let larger = guest::next(&machine, |machine| {
        for device in &mut machine.devices {
            if let Device::Disk(disk) = device {
                disk.size = grown.size;
            }
        }
    });
    cloud.want(&second, &larger);
    let found = cloud.rooms.observed_when(&larger.server_id, |found| found.generation == larger.generation).await;
    assert_eq!(found.device(&DeviceId::disk(&volume.volume_id)), Some(&DeviceState::Plugged), "{found:?}");
    // QEMU talks to one at a time.
    let config = two.stop().await;
    let run_dir = RunDir::new(config.state_dir.join("machines").join(larger.server_id.as_str()).join("run"));
    let qmp = Qmp::connect(&run_dir.qmp_socket()).await.unwrap();
    let id = volume.volume_id.as_str().parse().unwrap();
    assert_eq!(qmp.size_of(id, &Source::Socket("any".into())).await.unwrap(), Some(16 * MIB));
    drop(qmp);

    let two = super::cloud::Node::start(config);
    assert!(folder(&two, &larger).exists());
    cloud.unwant(&second, &larger.server_id);
    cloud.rooms.state_when(&larger.server_id, MachineState::Gone).await;
    one.stop().await;
    two.stop().await;
}
