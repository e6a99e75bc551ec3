// SPDX-License-Identifier: Apache-2.0
//! All machines of this host: who wants what, and one task for each.

mod doors;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use contracts::node::{Held, MachineDesired, Spec, Thing, ThingId, Want};
use qemu::RunDir;
use tokio::{sync::watch, task::JoinSet};
use types::{Generation, ServerId};
use uuid::Uuid;
use work::Bell;

use crate::{
    Error, Result,
    error::blocking,
    image,
    ledger::{Found, Ledger, Recorded, Wanted},
    machine::{Task, Workshop, console},
};

pub(crate) use doors::DoorPlan;

#[derive(Clone)]
pub(crate) struct Machines {
    inner: Arc<Inner>,
}

struct Inner {
    shop: Arc<Workshop>,
    known: Mutex<HashMap<Uuid, Known>>,
    /// Machines whose ledger cannot be read, with the user that their disk belongs to. They are left as they are until a
    /// controller names them.
    unread: Mutex<HashMap<Uuid, Option<u32>>>,
    tasks: Mutex<JoinSet<()>>,
    changed: Bell,
}

/// A machine of this host, as those find it who do not own it.
pub(crate) struct At {
    pub id: Uuid,
    pub run_dir: RunDir,
    /// The user that its process runs as.
    pub uid: u32,
}

struct Known {
    wanted: watch::Sender<Wanted>,
    uid: u32,
}

impl Machines {
    /// Takes up every machine that has a directory, as it was wanted last.
    pub async fn open(shop: Arc<Workshop>) -> Result<Self> {
        let listed = Ledger::list(&shop.host.state().machines())?;
        let inner =
            Inner { shop, known: Mutex::default(), unread: Mutex::default(), tasks: Mutex::default(), changed: Bell::new() };
        let machines = Self { inner: Arc::new(inner) };
        // Users first, so that a machine without a record does not get one that another has.
        let mut taken: HashSet<u32> = listed.iter().filter_map(|(_, found)| found.uid()).collect();
        for port in listed.iter().flat_map(|(_, found)| found.ports()) {
            if let Err(error) = machines.inner.shop.taps.claim(port) {
                tracing::error!(error = error.chain(), "two machines of this host may not run at the same time");
            }
        }
        for (id, found) in listed {
            let (wanted, recorded) = match found {
                Found::Kept { wanted, recorded } => (wanted, *recorded),
                Found::Begun { recorded } => {
                    (Wanted::Gone, recorded.map_or_else(|| Recorded::new(machines.free_uid(&taken), 0), |recorded| *recorded))
                }
                Found::Unread { uid } => {
                    tracing::error!(server = %id, "the ledger of this machine is damaged: the machine is left as it is");
                    machines.unread().insert(id, uid);
                    continue;
                }
            };
            taken.insert(recorded.uid);
            machines.begin(&mut machines.lock(), id, wanted, recorded);
        }
        Ok(machines)
    }

    /// The whole of what a controller wants. Machines of which it says nothing run on.
    ///
    /// Invariant: a machine that is neither wanted nor released by name is kept (test:
    /// `a_machine_that_the_controller_does_not_know_runs_on`).
    pub fn hear_all(&self, things: Vec<Thing>) {
        let named: HashSet<Uuid> = things.iter().filter_map(|thing| id_of(&thing.id.server()?)).collect();
        self.hear(things);
        let strays = self.lock().keys().filter(|id| !named.contains(id)).map(Uuid::to_string).collect::<Vec<_>>();
        if !strays.is_empty() {
            tracing::warn!(
                servers = strays.join(", "),
                "the controller does not know of these machines; they are kept as they are"
            );
        }
    }

    pub fn hear(&self, things: Vec<Thing>) {
        for thing in things {
            match thing.want {
                Want::Present(Spec::Machine(machine)) => self.set(*machine),
                Want::Present(Spec::Volume(_)) => {}
                Want::Released => {
                    if let Some(server) = thing.id.server() {
                        self.release(&server);
                    }
                }
            }
        }
    }

    fn set(&self, machine: MachineDesired) {
        let Some(id) = id_of(&machine.server_id) else {
            tracing::error!(server = %machine.server_id, "the controller names a machine in a way that no machine is named");
            return;
        };
        let mut known = self.lock();
        if let Some(known) = known.get(&id) {
            let stale = matches!(&*known.wanted.borrow(), Wanted::Machine(current) if current.generation > machine.generation);
            if !stale {
                self.want(known, Wanted::Machine(Box::new(machine)));
            }
            return;
        }
        let unread = self.unread().remove(&id);
        let recorded = match unread {
            None => Recorded::new(self.free_uid(&self.taken(&known)), machine.reboots),
            // Its disk is worth more than the record of it.
            Some(uid) => {
                tracing::warn!(server = %id, "a machine whose ledger was damaged is taken up with the disk that it has");
                let uid = uid.unwrap_or_else(|| self.free_uid(&self.taken(&known)));
                let ports = machine.nics().map(|nic| nic.port_id.clone()).collect();
                Recorded { root: machine.root().cloned(), ports, ..Recorded::new(uid, machine.reboots) }
            }
        };
        self.begin(&mut known, id, Wanted::Machine(Box::new(machine)), recorded);
    }

    /// This machine shall be gone. Of one that is not known whatever may be left goes, and that it is gone is said.
    fn release(&self, server: &ServerId) {
        let Some(id) = id_of(server) else { return };
        let mut known = self.lock();
        if let Some(known) = known.get(&id) {
            self.want(known, Wanted::Gone);
            return;
        }
        let uid = self.unread().remove(&id).flatten();
        let uid = uid.unwrap_or_else(|| self.free_uid(&self.taken(&known)));
        self.begin(&mut known, id, Wanted::Gone, Recorded::new(uid, 0));
    }

    /// All that there is, with the generation that each was wanted in last.
    pub fn held(&self) -> Vec<Held> {
        let held = |(id, known): (&Uuid, &Known)| Held {
            id: ThingId::machine(&ServerId::new(id.to_string())),
            generation: match &*known.wanted.borrow() {
                Wanted::Machine(machine) => machine.generation,
                Wanted::Gone => Generation::default(),
            },
        };
        let unread = |id: &Uuid| Held { id: ThingId::machine(&ServerId::new(id.to_string())), generation: Generation::default() };
        let mut all: Vec<Held> = self.lock().iter().map(held).collect();
        all.extend(self.unread().keys().map(unread));
        all
    }

    /// Rung when anything is wanted anew. One listens: the keeper of the metadata doors.
    pub fn changed(&self) -> &Bell {
        &self.inner.changed
    }

    /// Keeps what guests write to their consoles, and what they make QEMU say, from filling the disk.
    pub async fn bound_logs(&self) {
        let logs_of = |id: &Uuid| {
            let ledger = Ledger::new(self.inner.shop.host.state().machine(*id));
            [ledger.console_log(), ledger.run_dir().log()]
        };
        let logs: Vec<_> = self.lock().keys().flat_map(logs_of).collect();
        let bounded = blocking(move || logs.iter().try_for_each(|log| console::bound(log))).await;
        if let Err(error) = bounded {
            tracing::warn!(error = error.chain(), "the logs of machines are not cut down");
        }
    }

    pub async fn console_log(&self, server: &ServerId, lines: Option<u64>) -> Result<String> {
        let id = id_of(server).filter(|id| self.lock().contains_key(id));
        let id = id.ok_or_else(|| Error::Unfit("this node has no such machine".into()))?;
        let log = Ledger::new(self.inner.shop.host.state().machine(id)).console_log();
        blocking(move || console::tail(&log, lines)).await
    }

    /// Where this machine's process is found.
    pub fn at(&self, server: &ServerId) -> Result<At> {
        let found = id_of(server).and_then(|id| Some((id, self.lock().get(&id)?.uid)));
        let (id, uid) = found.ok_or_else(|| Error::Unfit("this node has no such machine".into()))?;
        Ok(At { id, run_dir: Ledger::new(self.inner.shop.host.state().machine(id)).run_dir(), uid })
    }

    fn each_wanted(&self, mut look: impl FnMut(&MachineDesired)) {
        for known in self.lock().values() {
            if let Wanted::Machine(machine) = &*known.wanted.borrow() {
                look(machine);
            }
        }
    }

    /// Images that machines rest on, or are about to.
    pub async fn images_in_use(&self) -> Result<HashSet<String>> {
        let mut images = HashSet::new();
        self.each_wanted(|machine| {
            images.extend(machine.root().into_iter().chain(machine.rescue()).map(|disk| disk.sha512.clone()))
        });
        let dir = self.inner.shop.host.state().machines();
        images.extend(blocking(move || image::in_use(&dir)).await?);
        Ok(images)
    }

    /// Ends the tasks; the machines go on.
    pub async fn rest(&self) {
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }

    fn begin(&self, known: &mut HashMap<Uuid, Known>, id: Uuid, wanted: Wanted, recorded: Recorded) {
        let uid = recorded.uid;
        let (wanted, watched) = watch::channel(wanted);
        self.inner.shop.board.expect(ThingId::machine(&ServerId::new(id.to_string())));
        let task = Task::new(id, self.inner.shop.clone(), recorded, watched);
        let machines = self.clone();
        let retire = move || machines.retire(id);
        let mut tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task.run(retire));
        known.insert(id, Known { wanted, uid });
        self.inner.changed.ring();
    }

    /// Wakes the task only if something differs.
    fn want(&self, known: &Known, wanted: Wanted) {
        let differs = known.wanted.send_if_modified(|current| {
            let differs = *current != wanted;
            *current = wanted;
            differs
        });
        if differs {
            self.inner.changed.ring();
        }
    }

    /// Forgets a machine that is gone. False if it is wanted again.
    fn retire(&self, id: Uuid) -> bool {
        let mut known = self.lock();
        let gone = known.get(&id).is_none_or(|known| matches!(*known.wanted.borrow(), Wanted::Gone));
        if gone {
            known.remove(&id);
        }
        gone
    }

    fn taken(&self, known: &HashMap<Uuid, Known>) -> HashSet<u32> {
        known.values().map(|known| known.uid).chain(self.unread().values().copied().flatten()).collect()
    }

    fn unread(&self) -> MutexGuard<'_, HashMap<Uuid, Option<u32>>> {
        self.inner.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free_uid(&self, taken: &HashSet<u32>) -> u32 {
        let first = self.inner.shop.host.config().first_uid;
        (first..).find(|uid| !taken.contains(uid)).unwrap_or(first)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id_of(server: &ServerId) -> Option<Uuid> {
    server.as_str().parse().ok()
}
