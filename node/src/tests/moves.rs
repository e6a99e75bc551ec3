// SPDX-License-Identifier: Apache-2.0
//! A machine's disk goes to another node.

use std::fs;

use contracts::node::{MachineDesired, MachineObserved, MachineState, Power, Role, Stream, Transfer};
use contracts::nodes::Nodes;
use types::NodeId;

use super::{
    cloud::Cloud,
    disks::{folder, has_mark, mark},
    guest,
    machine::{pid_of, until},
    port::booted,
};

/// What each end of a move is wanted to be.
pub(super) struct Move {
    pub sent: MachineDesired,
    pub received: MachineDesired,
}

pub(super) fn a_move(cloud: &Cloud, machine: &MachineDesired, from: &NodeId, to: &NodeId, of: &str) -> Move {
    let transfer = Transfer { server_id: machine.server_id.clone(), of: of.into() };
    let out = cloud.fleet.ticket(from, &Stream::DiskOut { transfer: transfer.clone() });
    let into = cloud.fleet.ticket(to, &Stream::DiskIn { transfer });
    Move {
        sent: guest::next(machine, |machine| machine.role = Role::Send { ticket: out }),
        received: guest::next(machine, |machine| machine.role = Role::Receive { ticket: into }),
    }
}

pub(super) fn is(state: MachineState, machine: &MachineDesired) -> impl Fn(&MachineObserved) -> bool {
    let generation = machine.generation;
    move |found| found.state == state && found.generation == generation
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_goes_to_another_node_with_its_disk_and_its_first_node_keeps_it_until_released() {
    let (cloud, one, from) = Cloud::with_a_node().await;
    let two = cloud.node("two").await;
    let to = cloud.facts("two").await.unwrap().id;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&from, &machine).await;
    booted(&one, &machine).await;
    let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
    cloud.want(&from, &stopped);
    cloud.rooms.found_at(&from, server, is(MachineState::Stopped, &stopped)).await;
    mark(&folder(&one, &machine).join("root.qcow2"), 5);
    let running = guest::next(&stopped, |machine| machine.power = Power::Running);
    cloud.run(&from, &running).await;

    // It runs when it is told to go: it is stopped first.
    let Move { sent, received } = a_move(&cloud, &running, &from, &to, "a move");
    cloud.want(&to, &received);
    cloud.want(&from, &sent);
    cloud.rooms.found_at(&to, server, is(MachineState::Received, &received)).await;
    cloud.rooms.found_at(&from, server, is(MachineState::Sent, &sent)).await;
    assert_eq!(pid_of(one.dir(), server), None);
    let there = folder(&two, &machine).join("root.qcow2");
    assert!(has_mark(&there, 5));
    let images = fs::read_dir(two.dir().join("images")).unwrap().count();
    assert_eq!(images, 0, "it rests on no image");

    let kept = guest::next(&sent, |machine| machine.role = Role::KeepDisk);
    cloud.want(&from, &kept);
    cloud.rooms.found_at(&from, server, is(MachineState::Stopped, &kept)).await;
    let arrived = guest::next(&received, |machine| {
        machine.role = Role::Run;
        let root = machine.root_mut().unwrap();
        (root.made, root.size) = (true, 16 << 20);
    });
    cloud.want(&to, &arrived);
    cloud.rooms.found_at(&to, server, is(MachineState::Running, &arrived)).await;
    booted(&two, &machine).await;
    assert_eq!(fs::read_dir(two.dir().join("images")).unwrap().count(), 0);

    // Nothing of it is left where it was, once it is said so by name.
    assert!(folder(&one, &machine).join("root.qcow2").exists());
    cloud.unwant(&from, server);
    cloud.rooms.found_at(&from, server, |found| found.state == MachineState::Gone).await;
    assert!(!folder(&one, &machine).exists());
    assert!(pid_of(two.dir(), server).is_some());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_given_up_leaves_the_machine_where_it_was() {
    let (cloud, one, from) = Cloud::with_a_node().await;
    let two = cloud.node("two").await;
    let to = cloud.facts("two").await.unwrap().id;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&from, &machine).await;
    booted(&one, &machine).await;
    let Move { sent, received } = a_move(&cloud, &machine, &from, &to, "a move");
    cloud.want(&to, &received);
    cloud.want(&from, &sent);
    cloud.rooms.found_at(&to, server, is(MachineState::Received, &received)).await;
    let back = guest::next(&sent, |machine| machine.role = Role::Run);
    cloud.want(&from, &back);
    cloud.rooms.found_at(&from, server, is(MachineState::Running, &back)).await;
    assert!(!folder(&one, &machine).join("snapshot").exists());

    // A disk from an earlier stay is neither taken for the one that comes, nor lost.
    let Move { sent, received } = a_move(&cloud, &back, &from, &to, "another move");
    let again = guest::next(&received, |_| ());
    cloud.want(&to, &again);
    cloud.want(&from, &sent);
    let refused =
        |found: &MachineObserved| found.generation == again.generation && matches!(found.state, MachineState::Failed { .. });
    let found = cloud.rooms.found_at(&to, server, refused).await;
    let MachineState::Failed { cause, transient: false, .. } = found.state else { panic!("{found:?}") };
    assert!(cause.contains("did not come by this move"), "{cause}");
    cloud.unwant(&to, server);
    until("it is released", || !folder(&two, &machine).exists()).await;
    cloud.want(&to, &guest::next(&again, |_| ()));
    cloud.rooms.found_at(&to, server, |found| found.state == MachineState::Received).await;
    one.stop().await;
    two.stop().await;
}
