// SPDX-License-Identifier: Apache-2.0
//! A cloud whose hosts are brought up to date one after the other.

use contracts::node::{MachineDesired, MachineState, PROTOCOL, Power, Thing, Versions, earlier};

use super::cloud::{Cloud, PATIENCE, machine};

const SERVER: &str = "0f3b7a52-1111-4222-8333-444455556666";

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_the_version_before_serves_and_is_brought_up_to_date_with_its_machines() {
    let cloud = Cloud::start().await;
    let host = cloud.host(1).await;
    host.cut_off();
    host.speak(Versions::only(earlier::PROTOCOL));
    tokio::time::timeout(PATIENCE, async {
        while cloud.facts(host.id()).await.hello.is_none_or(|hello| hello.speaks.newest != earlier::PROTOCOL) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    cloud.want(host.id(), Thing::machine(machine(SERVER, 1)));
    cloud.rooms.found(host.id(), SERVER, MachineState::Running).await;

    // It has no words for this: its machine stays as it is, and who wants it is told why.
    cloud.want(host.id(), Thing::machine(MachineDesired { power: Power::Paused, ..machine(SERVER, 2) }));
    let says_why = |state: &MachineState| matches!(state, MachineState::Failed { cause, .. } if cause.contains("cannot pause"));
    let is_it = |found: &contracts::node::Found| found.as_machine().is_some_and(|machine| says_why(&machine.state));
    cloud.rooms.told(|_, report| report.found.iter().any(is_it)).await;
    assert_eq!(host.running(), 1);

    host.speak(Versions::only(PROTOCOL));
    cloud.want(host.id(), Thing::machine(machine(SERVER, 3)));
    let is_newer = |found: &contracts::node::Found| {
        found.as_machine().is_some_and(|machine| machine.generation.0 == 3 && machine.state == MachineState::Running)
    };
    cloud.rooms.told(|_, report| report.found.iter().any(is_newer)).await;
    assert_eq!(host.running(), 1);
    cloud.release(host.id(), SERVER);
    cloud.rooms.found(host.id(), SERVER, MachineState::Gone).await;
}
