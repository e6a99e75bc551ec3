// SPDX-License-Identifier: Apache-2.0
//! Certificates are renewed while volumes go from host to host.

use std::fs;

use contracts::node::{Device, DiskDesired, MachineState, Origin, RebootKind, Ticket};
use types::{AttachmentId, ImageId};

use super::{
    cloud::{Cloud, Node},
    disks::folder as machine_folder,
    guest,
    machine::pid_of,
    volume_room::{MIB, from, open_to},
    volumes::{daemons, through, until, until_through},
};
use crate::{config::NodeConfig, identity::Identity, link::Client, state_dir::StateDir};

/// As an agent does in time.
async fn renew(cloud: &Cloud, config: &NodeConfig) {
    let (state, _lock) = StateDir::open(&config.state_dir).unwrap();
    let identity = Identity::load(&state).unwrap().unwrap();
    let client = Client::connect(&cloud.address, identity.tls().unwrap()).await.unwrap();
    let reply = client.renew(&identity.credentials().unwrap()).await.unwrap();
    identity.renewed(reply).unwrap();
}

/// Its storage daemon shows another one then.
async fn renewed(cloud: &Cloud, node: Node) -> Node {
    let before = daemons(node.dir());
    let config = node.stop().await;
    renew(cloud, &config).await;
    let node = Node::start(config);
    until("the new certificate is shown", || {
        let now = daemons(node.dir());
        now.len() == 1 && now != before
    })
    .await;
    node
}

#[tokio::test]
async fn certificates_are_renewed_under_an_open_export_and_the_machine_goes_on() {
    let (cloud, one, first) = Cloud::with_a_node().await;
    let two = cloud.node("two").await;
    let second = cloud.facts("two").await.unwrap().id;
    let mut image = guest::obedient();
    image.resize(MIB as usize, 0);
    let origin = Origin::Image {
        image_id: ImageId::generate(),
        sha512: cloud.image(&image),
        format: "raw".into(),
        image_size: image.len() as u64,
        ticket: Ticket::new(String::new()),
    };
    let volume = open_to(&from(origin), Some(&second));
    cloud.want_volume(&first, &volume);
    let way = cloud.way(&volume).await;
    let mut machine = guest::machine(&cloud, &image);
    let disk = DiskDesired {
        volume_id: volume.volume_id.clone(),
        attachment_id: AttachmentId::generate(),
        size: volume.size,
        read_only: false,
        boot: true,
        tag: None,
        way: way.clone(),
    };
    machine.devices = vec![Device::Disk(disk)];
    let server = machine.server_id.clone();
    cloud.run(&second, &machine).await;
    let console = machine_folder(&two, &machine).join("console.log");
    let says = |times: usize| fs::read_to_string(&console).is_ok_and(|said| said.matches("hello").count() == times);
    until("the guest boots", || says(1)).await;
    let pid = pid_of(two.dir(), &server);
    let old = tempfile::tempdir().unwrap();
    for name in ["authority", "certificate", "key"] {
        let name = format!("{name}.pem");
        fs::copy(two.dir().join("identity").join(&name), old.path().join(&name)).unwrap();
    }

    let one = renewed(&cloud, one).await;
    let two = renewed(&cloud, two).await;
    // Whoever comes after is let in, with the new certificate, and with the old one, which is good for as long as it was.
    until_through(&two.dir().join("identity"), &way, "read 0 512").await;
    through(old.path(), &way, "read 0 512").await.unwrap();
    assert!(through(&one.dir().join("identity"), &way, "read 0 512").await.is_err());

    // The guest reads its disk anew over what there is now.
    assert_eq!(pid_of(two.dir(), &server), pid, "the machine went on");
    let rebooted = guest::next(&machine, |machine| {
        machine.reboots += 1;
        machine.reboot = RebootKind::Hard;
    });
    cloud.want(&second, &rebooted);
    until("it boots again", || says(2)).await;
    cloud.unwant(&second, &server);
    cloud.rooms.state_when(&server, MachineState::Gone).await;
    one.stop().await;
    two.stop().await;
}
