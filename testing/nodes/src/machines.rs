// SPDX-License-Identifier: Apache-2.0
//! What a host has. What it found of it is on its board, as an agent's is.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use contracts::node::{MachineDesired, MachineObserved, MachineState, Power, SnapshotObserved, SnapshotStep};
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
    snapshot: Option<ImageId>,
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
        let rests = before.is_some_and(|machine| {
            (machine.power, machine.reboots, &machine.snapshot) == (wanted.power, wanted.reboots, &wanted.snapshot)
                && matches!(machine.state, MachineState::Running | MachineState::Stopped)
        });
        let machine = Machine {
            generation: wanted.generation,
            power: wanted.power,
            reboots: before.map_or(wanted.reboots, |machine| machine.reboots),
            state: before.map_or(MachineState::Preparing { step: "image".to_owned() }, |machine| machine.state.clone()),
            snapshot: wanted.snapshot.clone(),
        };
        self.set(&mut here, &wanted.server_id, machine);
        !rests
    }

    /// How it is now, unless it has gone, or something newer is wanted of it.
    pub fn found(&self, id: &ServerId, generation: Generation, reboots: u32, state: MachineState) -> bool {
        let mut here = self.lock();
        let before = here.get(id).filter(|machine| machine.generation == generation).cloned();
        let Some(before) = before else { return false };
        self.set(&mut here, id, Machine { reboots, state, ..before });
        true
    }

    pub fn get(&self, id: &ServerId) -> Option<Machine> {
        self.lock().get(id).cloned()
    }

    /// It shall be gone, and is; also if it never was.
    pub fn release(&self, id: &ServerId) {
        let mut here = self.lock();
        let (generation, reboots) = here.remove(id).map_or((Generation(0), 0), |machine| (machine.generation, machine.reboots));
        let state = MachineState::Gone;
        self.board.write(MachineObserved { server_id: id.clone(), generation, reboots, state, snapshot: None });
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

fn observed(id: &ServerId, machine: &Machine) -> MachineObserved {
    let snapshot = machine.snapshot.clone().map(|image_id| SnapshotObserved {
        image_id,
        step: SnapshotStep::Failed { cause: "a simulated machine has no disk to be copied".to_owned() },
    });
    MachineObserved {
        server_id: id.clone(),
        generation: machine.generation,
        reboots: machine.reboots,
        state: machine.state.clone(),
        snapshot,
    }
}
