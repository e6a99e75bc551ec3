// SPDX-License-Identifier: Apache-2.0
//! What a host has. What it found of it is on its board, as an agent's is.

use std::{
    collections::HashMap,
    mem::discriminant,
    sync::{Mutex, MutexGuard, PoisonError},
};

use contracts::node::{
    DeviceId, DeviceObserved, DeviceState, Held, MachineDesired, MachineObserved, MachineState, Power, Role, SnapshotObserved,
    SnapshotStep, ThingId,
};
use node::board::Board;
use types::{Generation, ImageId, ServerId};

/// A machine as the host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Of what it was told last.
    pub generation: Generation,
    pub power: Power,
    /// How many it has done.
    pub reboots: u32,
    pub state: MachineState,
    /// It has a root disk.
    pub(crate) has_disk: bool,
    role: Role,
    snapshot: Option<ImageId>,
    devices: Vec<DeviceId>,
}

#[derive(Default)]
pub struct Machines {
    here: Mutex<HashMap<ServerId, Machine>>,
    pub board: Board,
}

impl Machines {
    pub fn all(&self) -> HashMap<ServerId, Machine> {
        self.lock().clone()
    }

    pub fn ids(&self) -> Vec<ServerId> {
        self.lock().keys().cloned().collect()
    }

    pub fn get(&self, id: &ServerId) -> Option<Machine> {
        self.lock().get(id).cloned()
    }

    pub fn held(&self) -> Vec<Held> {
        let here = self.lock();
        here.iter().map(|(id, machine)| Held { id: ThingId::machine(id), generation: machine.generation }).collect()
    }

    pub fn observed(&self) -> Vec<MachineObserved> {
        self.lock().iter().map(|(id, machine)| observed(id, machine)).collect()
    }

    pub fn running(&self) -> usize {
        self.lock().values().filter(|machine| machine.state == MachineState::Running).count()
    }

    /// Notes what is wanted. An older word than the last changes nothing; true if there is something to do for this one.
    pub fn want(&self, wanted: &MachineDesired) -> bool {
        let mut here = self.lock();
        let before = here.get(&wanted.server_id);
        if before.is_some_and(|machine| machine.generation > wanted.generation) {
            return false;
        }
        let snapshot = wanted.snapshot.as_ref().map(|snapshot| snapshot.image_id.clone());
        let rests = before.is_some_and(|machine| {
            machine.is_at_rest()
                && (machine.power, machine.reboots) == (wanted.power, wanted.reboots)
                && discriminant(&machine.role) == discriminant(&wanted.role)
                && machine.snapshot == snapshot
        });
        let machine = Machine {
            generation: wanted.generation,
            power: wanted.power,
            reboots: before.map_or(wanted.reboots, |machine| machine.reboots),
            state: before.map_or(MachineState::Preparing { step: "image".to_owned() }, |machine| machine.state.clone()),
            has_disk: before.is_some_and(|machine| machine.has_disk),
            role: wanted.role.clone(),
            snapshot,
            devices: wanted.devices.iter().map(contracts::node::Device::id).collect(),
        };
        self.set(&mut here, &wanted.server_id, machine);
        !rests
    }

    /// How it is now, unless it has gone, or something newer is wanted of it.
    pub fn found(&self, id: &ServerId, generation: Generation, reboots: u32, state: MachineState) -> bool {
        let mut here = self.lock();
        let before = here.get(id).filter(|machine| machine.generation == generation).cloned();
        let Some(before) = before else { return false };
        let has_disk = before.has_disk || is_whole(&state);
        self.set(&mut here, id, Machine { reboots, state, has_disk, ..before });
        true
    }

    /// It shall be gone, and is; also if it never was.
    pub fn release(&self, id: &ServerId) {
        let mut here = self.lock();
        let (generation, reboots) = here.remove(id).map_or((Generation(0), 0), |machine| (machine.generation, machine.reboots));
        let (server_id, state) = (id.clone(), MachineState::Gone);
        self.board.write(MachineObserved { server_id, generation, reboots, state, snapshot: None, devices: Vec::new() });
    }

    /// Its guest switches it off.
    pub fn switch_off(&self, id: &ServerId) -> bool {
        let mut here = self.lock();
        let Some(machine) = here.get(id).cloned() else { return false };
        self.set(&mut here, id, Machine { state: MachineState::Stopped, ..machine });
        true
    }

    fn set(&self, here: &mut HashMap<ServerId, Machine>, id: &ServerId, machine: Machine) {
        self.board.write(observed(id, &machine));
        here.insert(id.clone(), machine);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Machine>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn is_at_rest(&self) -> bool {
        is_whole(&self.state)
    }
}

fn is_whole(state: &MachineState) -> bool {
    !matches!(state, MachineState::Preparing { .. } | MachineState::Failed { .. })
}

fn observed(id: &ServerId, machine: &Machine) -> MachineObserved {
    let snapshot = machine.snapshot.clone().map(|image_id| SnapshotObserved {
        image_id,
        step: SnapshotStep::Failed { cause: "a simulated machine has no disk to be copied".to_owned() },
    });
    let devices = machine.devices.iter().filter(|_| machine.is_at_rest());
    MachineObserved {
        server_id: id.clone(),
        generation: machine.generation,
        reboots: machine.reboots,
        state: machine.state.clone(),
        snapshot,
        devices: devices.map(|id| DeviceObserved { id: id.clone(), state: DeviceState::Plugged }).collect(),
    }
}
