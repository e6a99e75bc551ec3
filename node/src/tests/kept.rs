// SPDX-License-Identifier: Apache-2.0
//! Nothing goes from a node but what is released by name, whatever the controller and the ledgers lack.

use std::fs;

use contracts::{
    node::{Answer, Ask, MachineState, Power},
    nodes::Nodes,
};
use types::{DatabaseId, DatabaseMark};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
    machine::{pid_of, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_the_controller_does_not_know_runs_on() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let (kept, other) = (guest::machine(&cloud, &guest::obedient()), guest::machine(&cloud, &guest::obedient()));
    cloud.run(&id, &kept).await;
    cloud.run(&id, &other).await;
    let pid = pid_of(node.dir(), &kept.server_id);

    // As from one moment to the other, and over a new session, and after a start of the agent.
    cloud.forget(&id, &kept.server_id);
    let newer = guest::next(&other, |_| ());
    cloud.want(&id, &newer);
    cloud.rooms.observed_when(&other.server_id, |found| found.generation == newer.generation).await;
    let cloud = cloud.restart().await;
    cloud.up("one").await;
    let node = Node::start(node.stop().await);
    cloud.up("one").await;
    cloud.rooms.state_when(&kept.server_id, MachineState::Running).await;
    assert_eq!(pid_of(node.dir(), &kept.server_id), pid, "it was not touched");

    // Its name is all that it takes.
    cloud.unwant(&id, &kept.server_id);
    cloud.rooms.state_when(&kept.server_id, MachineState::Gone).await;
    assert_eq!(pid_of(node.dir(), &kept.server_id), None);
    assert!(pid_of(node.dir(), &other.server_id).is_some());
    cloud.unwant(&id, &other.server_id);
    cloud.rooms.state_when(&other.server_id, MachineState::Gone).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_ledger_is_damaged_keeps_its_disk() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    cloud.run(&id, &machine).await;
    let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(&machine.server_id, MachineState::Stopped).await;
    let config = node.stop().await;
    let folder = config.state_dir.join("machines").join(machine.server_id.as_str());
    let disk = folder.join("root.qcow2");
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&disk).unwrap());
    let before = inode();

    // A full disk, or a power cut, may leave such a thing. The controller does not speak of the machine.
    fs::write(folder.join("recorded.json"), b"").unwrap();
    cloud.forget(&id, &machine.server_id);
    let node = Node::start(config);
    cloud.up("one").await;
    let listed = async {
        loop {
            // The session that is up may still be the one before.
            match cloud.fleet.ask(&id, Ask::Inventory).await {
                Ok(Answer::Inventory { machines, .. }) => return machines,
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    };
    let machines = tokio::time::timeout(PATIENCE, listed).await.expect("an inventory");
    assert!(machines.contains_key(machine.server_id.as_str()));
    assert!(disk.exists());

    // When it does, the machine is taken up with the disk that it has.
    cloud.run(&id, &guest::next(&stopped, |machine| machine.power = Power::Running)).await;
    assert_eq!(inode(), before, "the disk was made anew");
    cloud.unwant(&id, &machine.server_id);
    cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
    assert!(!folder.exists());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_and_not_known_is_said_to_be_gone() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    cloud.unwant(&id, &machine.server_id);
    cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
    until("its name is not said any more", || cloud.rooms.released.lock().unwrap().is_empty()).await;
    assert!(!node.dir().join("machines").join(machine.server_id.as_str()).exists());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knows_more_than_the_database_tells_that_it_was_put_back() {
    let (cloud, node, _) = Cloud::with_a_node().await;
    let told = cloud.store.mark().await.unwrap();
    let file = node.dir().join("database.json");
    until("what was told is written down", || file.exists()).await;
    let config = node.stop().await;
    let known: DatabaseMark = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(known.database == told.database && known.event <= told.event);
    assert_eq!(cloud.store.put_back().await.unwrap(), None);

    let later = DatabaseMark { event: told.event + (1_000 << 20), ..known.clone() };
    fs::write(&file, serde_json::to_vec(&later).unwrap()).unwrap();
    let node = Node::start(config);
    let found = async {
        loop {
            match cloud.store.put_back().await.unwrap() {
                Some(found) => return found,
                None => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, found).await.expect("it is told").seen_by, "one");
    assert!(cloud.store.mark().await.unwrap().event > later.event, "its events go on above those that were lost");
    let config = node.stop().await;

    // What another database knew says nothing about this one.
    let other = DatabaseMark { database: DatabaseId::generate(), event: i64::MAX };
    fs::write(&file, serde_json::to_vec(&other).unwrap()).unwrap();
    let before = cloud.store.put_back().await.unwrap();
    let node = Node::start(config);
    let is_told = || !fs::read_to_string(&file).unwrap_or_default().contains(other.database.as_str());
    until("it is told of the database that there is", is_told).await;
    assert_eq!(cloud.store.put_back().await.unwrap(), before);
    node.stop().await;
}
