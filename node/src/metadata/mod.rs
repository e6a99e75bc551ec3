// SPDX-License-Identifier: Apache-2.0
//! The metadata service: on each host, for its own machines, one door for each network.
//!
//! A door is a network namespace with one address pair (the network's OVN `localport`) and a listener that was opened
//! inside it. Who asks is told by the network it came from and its address there, which anti-spoofing guarantees,
//! and by nothing that it says.
//!
//! Which doors there are follows from the machines, and is read afresh whenever one changes: doors that nobody needs,
//! also those of an agent that was killed, are taken down.

mod door;
mod namespace;
mod password;
mod server;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::timeout;
use types::NetworkId;

use crate::{
    MetadataLimits, Result,
    link::Link,
    machines::{DoorPlan, Machines},
    state_dir::StateDir,
    switch::Switching,
};

use door::Door;

pub(crate) use namespace::list as namespaces;

/// After a failure, or in case a change was never heard of.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const CLOCK: Duration = Duration::from_secs(60);

/// What doors stand on.
pub(crate) struct Ground {
    pub switch: Arc<Switching>,
    pub state: StateDir,
    pub limits: MetadataLimits,
    pub machines: Machines,
    pub link: Link,
}

/// Keeps the doors until it is dropped; they are found again by the next agent.
pub(crate) async fn keep(ground: Ground) {
    let mut open: HashMap<NetworkId, (DoorPlan, Door)> = HashMap::new();
    loop {
        let pause = match converge(&ground, &mut open).await {
            Ok(()) => CLOCK,
            Err(error) => {
                tracing::warn!(error = error.chain(), "metadata doors are not as desired");
                LOOK_AGAIN
            }
        };
        let _ = timeout(pause, ground.machines.changed().heard()).await;
    }
}

async fn converge(ground: &Ground, open: &mut HashMap<NetworkId, (DoorPlan, Door)>) -> Result<()> {
    let wanted: BTreeMap<NetworkId, DoorPlan> = ground.machines.doors();
    open.retain(|network, (plan, _)| wanted.get(network) == Some(plan));
    let mark = ground.state.mark();
    let is_wanted = |names: &namespace::Names| names.network(&mark).is_some_and(|network| wanted.contains_key(&network));
    for names in namespace::doors(&ground.state)?.into_iter().filter(|names| !is_wanted(names)) {
        door::release(&ground.switch, &names).await?;
    }
    let mut outcome = Ok(());
    for (network, plan) in wanted {
        if open.contains_key(&network) {
            continue;
        }
        // One network that cannot be served does not keep the others waiting.
        match Door::open(ground, &network, &plan).await {
            Ok(door) => drop(open.insert(network, (plan, door))),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}
