// SPDX-License-Identifier: Apache-2.0
//! A host: it reads what is wanted of it, does it in its manner, and reports.

use std::{sync::Weak, time::Duration};

use contracts::node::{
    Device, DeviceId, DeviceObserved, DeviceState, Failure, Found, MachineDesired, MachineObserved, MachineState, Power, Role,
    SnapshotObserved, SnapshotStep, Spec, Thing, ThingId, Want,
};
use contracts::nodes::{DesiredSource, ObservedSink, Report, SnapshotSink};
use types::{Generation, NodeId, ServerId};

use super::{Far, MachineKept, Manner, disk, node_id};

impl Far {
    /// The guest of this server switches itself off.
    pub async fn guest_stops(&self, server: &str) {
        let report = {
            let mut kept = self.kept.lock().unwrap();
            let (host, machine) =
                kept.machines.iter_mut().find_map(|(host, all)| Some((host.clone(), all.get_mut(server)?))).unwrap();
            machine.running = false;
            (node_id(&host), observed(server, machine))
        };
        self.report(&report.0, report.1).await;
    }

    pub async fn report(&self, node: &NodeId, machine: MachineObserved) {
        let compute = self.compute.get().and_then(Weak::upgrade).unwrap();
        let report = Report { found: vec![Found::Machine(machine)], absent: vec![] };
        compute.observed(node, &report).await.unwrap();
    }

    /// A host reads what is wanted of it, of these things or of all, does it, and reports.
    pub(super) fn look(&self, node: &NodeId, of: Option<Vec<ThingId>>) {
        let Some(compute) = self.compute.get().and_then(Weak::upgrade) else { return };
        let (node, far) = (node.clone(), self.me.upgrade().unwrap());
        // One turn at a time, each with the desired state as it is then.
        tokio::spawn(async move {
            let _turn = far.turn.lock().await;
            let things = match &of {
                Some(of) => compute.changed(&node, of).await.unwrap(),
                None => compute.all(&node).await.unwrap(),
            };
            let Some(machines) = far.act(&node, things) else { return };
            let report = Report { found: machines.iter().cloned().map(Found::Machine).collect(), absent: vec![] };
            compute.observed(&node, &report).await.unwrap();
            far.doors_may_have_closed(&compute);
            // Who waits for a disk looks when it was sent.
            for (host, id) in far.waiting(&machines) {
                far.look(&host, Some(vec![id]));
            }
            let copied = machines.into_iter().filter_map(|machine| machine.snapshot);
            for copied in copied.filter(|copied| copied.step == SnapshotStep::Copied) {
                // It may be wanted no more by now; and a host sends once more what the tables had no time for.
                for _ in 0..50 {
                    match compute.take_snapshot(&node, &copied.image_id, disk()).await {
                        Err(refusal) if refusal.is_transient() => tokio::time::sleep(Duration::from_millis(20)).await,
                        _ => break,
                    }
                }
            }
        });
    }

    fn waiting(&self, machines: &[MachineObserved]) -> Vec<(NodeId, ThingId)> {
        let sent = machines.iter().filter(|machine| machine.state == MachineState::Sent);
        let kept = self.kept.lock().unwrap();
        let receives = |id: &str| {
            let all = kept.machines.iter().filter(|(_, all)| all.get(id).is_some_and(|machine| machine.role == "receives"));
            all.map(|(host, _)| node_id(host)).collect::<Vec<_>>()
        };
        sent.flat_map(|machine| {
            let id = ThingId::machine(&machine.server_id);
            receives(machine.server_id.as_str()).into_iter().map(move |host| (host, id.clone()))
        })
        .collect()
    }

    /// What the host does on reading this, and reports.
    fn act(&self, node: &NodeId, things: Vec<Thing>) -> Option<Vec<MachineObserved>> {
        let (mut desired, mut released): (Vec<MachineDesired>, Vec<ServerId>) = Default::default();
        for thing in things {
            match thing.want {
                Want::Present(Spec::Machine(machine)) => desired.push(*machine),
                Want::Present(Spec::Volume(_)) => {}
                Want::Released => released.extend(thing.id.server()),
            }
        }
        let (host, manner, up) = self.host_of(node)?;
        if !up || manner == Manner::Sleeps {
            return None;
        }
        let mut machines = Vec::new();
        self.change(|kept| {
            let others: Vec<(String, MachineKept)> =
                kept.machines.iter().filter(|(name, _)| **name != host).flat_map(|(_, all)| all.clone()).collect();
            let here = kept.machines.entry(host).or_default();
            let none = MachineKept::off(0, 0);
            for id in released {
                let machine = here.remove(id.as_str()).unwrap_or(none.clone());
                machines.push(MachineObserved { state: MachineState::Gone, ..observed(id.as_str(), &machine) });
            }
            // What is neither wanted nor released stays as it is.
            let unnamed = here.iter().filter(|(id, _)| !desired.iter().any(|machine| machine.server_id.as_str() == **id));
            machines.extend(unnamed.map(|(id, machine)| observed(id, machine)));
            for machine in desired {
                let id = machine.server_id.to_string();
                if let Manner::Fails(cause) = &manner {
                    let state = MachineState::Failed { cause: cause.clone(), transient: false, how: Failure::Unmade };
                    let none = MachineKept::off(machine.generation.0, machine.reboots);
                    machines.push(MachineObserved { state, ..observed(&id, &none) });
                    continue;
                }
                let elsewhere = others.iter().filter(|(known, _)| *known == id).map(|(_, machine)| machine);
                let was = here.get(&id).cloned();
                let nics = nics(&machine, was.as_ref(), &manner);
                let new = MachineKept { nics, ..take_part(&machine, was.as_ref(), elsewhere.clone()) };
                if new.running && elsewhere.clone().any(|other| other.running) {
                    kept.ran_twice.push(id.clone());
                }
                let snapshot = machine.snapshot.map(|asked| SnapshotObserved { image_id: asked.image_id, step: step(&manner) });
                machines.push(MachineObserved { snapshot, ..observed(&id, &new) });
                here.insert(id, new);
            }
        });
        Some(machines)
    }
}

/// What a host has of a machine once it has done what is wanted.
fn take_part<'a>(
    machine: &MachineDesired,
    was: Option<&MachineKept>,
    mut elsewhere: impl Iterator<Item = &'a MachineKept>,
) -> MachineKept {
    let role = match &machine.role {
        Role::Run => "",
        Role::Receive { .. } if was.is_some_and(|was| was.role == "received") => "received",
        Role::Receive { .. } if elsewhere.any(|other| other.role == "sent") => "received",
        Role::Receive { .. } => "receives",
        Role::Send { .. } => "sent",
        Role::KeepDisk => "keeps",
    };
    let off = MachineKept::off(machine.generation.0, machine.reboots);
    MachineKept {
        running: role.is_empty() && machine.power == Power::Running,
        paused: role.is_empty() && machine.power == Power::Paused,
        role: role.to_owned(),
        memory_mb: machine.memory_mb,
        rescued: machine.rescue().is_some(),
        kept: machine.kept.map(|kept| kept.back),
        root: root(machine, was),
        ..off
    }
}

/// A root is made anew before a start, if it shall be of a later edition.
fn root(machine: &MachineDesired, was: Option<&MachineKept>) -> (u64, String) {
    let had = was.map(|was| was.root.clone()).unwrap_or_default();
    match machine.root() {
        Some(root) if was.is_none() || root.edition > had.0 && machine.power == Power::Running => {
            (root.edition, root.image_id.to_string())
        }
        _ => had,
    }
}

/// What becomes of its NICs and volumes.
fn nics(machine: &MachineDesired, was: Option<&MachineKept>, manner: &Manner) -> Vec<DeviceObserved> {
    let had = was.map_or(&[][..], |was| &was.nics);
    let has = |id: &DeviceId| had.iter().any(|nic| nic.id == *id && nic.state == DeviceState::Plugged);
    let wanted = machine.devices.iter().filter(|device| matches!(device, Device::Nic(_) | Device::Disk(_))).map(Device::id);
    let plugged = wanted.clone().map(|id| {
        let state = match manner {
            Manner::CannotPlug(cause) if was.is_some() && !has(&id) => DeviceState::Failed { cause: cause.clone() },
            _ => DeviceState::Plugged,
        };
        DeviceObserved { id, state }
    });
    let keeps = *manner == Manner::KeepsCards && machine.power != Power::Stopped;
    let leaving = had.iter().filter(|nic| keeps && wanted.clone().all(|id| id != nic.id));
    let leaving = leaving.map(|nic| DeviceObserved { state: DeviceState::Unplugging, ..nic.clone() });
    plugged.chain(leaving).collect()
}

fn observed(id: &str, machine: &MachineKept) -> MachineObserved {
    MachineObserved {
        server_id: ServerId::new(id),
        generation: Generation(machine.generation),
        reboots: machine.reboots,
        state: match machine.role.as_str() {
            "receives" => MachineState::Preparing { step: "disk".to_owned() },
            "received" => MachineState::Received,
            "sent" => MachineState::Sent,
            _ if machine.paused => MachineState::Paused,
            _ if machine.running => MachineState::Running,
            _ => MachineState::Stopped,
        },
        snapshot: None,
        devices: machine.nics.clone(),
    }
}

fn step(manner: &Manner) -> SnapshotStep {
    match manner {
        Manner::Copies => SnapshotStep::Copying,
        Manner::CannotCopy(cause) => SnapshotStep::Failed { cause: cause.clone() },
        _ => SnapshotStep::Copied,
    }
}
