// SPDX-License-Identifier: Apache-2.0
//! Either end of a move is killed on the way.

use contracts::node::{MachineState, Role};

use super::{
    super::{
        cloud::{Cloud, Node},
        disks::{has_mark, mark},
        guest,
        moves::{Move, a_move, is},
    },
    die_at,
};

const AT_THE_SENDER: [&str; 5] =
    ["node.snapshot.begun", "node.snapshot.copied", "node.snapshot.sending", "node.snapshot.sent", "node.move.sent"];
const AT_THE_RECEIVER: [&str; 3] = ["node.move.begun", "node.move.written", "node.move.received"];

#[tokio::test(flavor = "multi_thread")]
async fn a_move_whose_ends_are_killed_on_the_way_is_ended_later_and_the_disk_is_whole() {
    let cloud = Cloud::start().await;
    let (mut configs, mut ids) = (Vec::new(), Vec::new());
    for name in ["one", "two"] {
        configs.push(cloud.node(name).await.stop().await);
        ids.push(cloud.facts(name).await.unwrap().id);
    }
    let (from, to) = (&ids[0], &ids[1]);
    for (number, point) in AT_THE_SENDER.into_iter().chain(AT_THE_RECEIVER).enumerate() {
        let machine = guest::next(&guest::machine(&cloud, &guest::obedient()), |_| ());
        let server = &machine.server_id;
        let file = |end: usize| configs[end].state_dir.join("machines").join(server.as_str()).join("root.qcow2");
        let made = guest::next(&machine, |machine| machine.power = contracts::node::Power::Stopped);
        let one = Node::start(configs[0].clone());
        cloud.run(from, &machine).await;
        super::super::port::booted(&one, &machine).await;
        cloud.want(from, &made);
        cloud.rooms.found_at(from, server, is(MachineState::Stopped, &made)).await;
        one.stop().await;
        let byte = u8::try_from(number + 1).unwrap();
        mark(&file(0), byte);

        let Move { sent, received } = a_move(&cloud, &made, from, to, point);
        cloud.want(from, &sent);
        cloud.want(to, &received);
        let dies = usize::from(number >= AT_THE_SENDER.len());
        let other = Node::start(configs[1 - dies].clone());
        die_at(&configs[dies], point).await;
        let same = Node::start(configs[dies].clone());
        cloud.rooms.found_at(to, server, is(MachineState::Received, &received)).await;
        // That it is there, only who has it can say: who sent it may have died before it heard.
        assert!(has_mark(&file(1), byte) && has_mark(&file(0), byte), "{point}");

        let arrived = guest::next(&received, |machine| {
            (machine.role, machine.power) = (Role::Run, contracts::node::Power::Running);
            machine.root_mut().unwrap().made = true;
        });
        cloud.want(to, &arrived);
        cloud.rooms.found_at(to, server, is(MachineState::Running, &arrived)).await;
        for node in [from, to] {
            cloud.unwant(node, server);
            cloud.rooms.found_at(node, server, |found| found.state == MachineState::Gone).await;
        }
        other.stop().await;
        same.stop().await;
    }
}
