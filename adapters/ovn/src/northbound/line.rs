// SPDX-License-Identifier: Apache-2.0
//! Those who write scopes while a transaction is under way go together into the next one.
//!
//! The database takes one transaction after the other, and ovn-northd looks at everything again after each: a burst of ports costs
//! both far less in a few transactions than in one for each port. A lone writer waits for nobody.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{Applied, Northbound, Scope};
use crate::{Error, Result};

/// So many writers share a transaction at most.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    is_served: bool,
}

#[derive(Debug)]
struct Waiting {
    scopes: Vec<Scope>,
    reply: oneshot::Sender<Result<Applied>>,
}

impl Line {
    /// Writes scopes, perhaps together with others'; the answer counts what was written in all.
    pub(super) async fn apply(&self, northbound: &Northbound, scopes: Vec<Scope>) -> Result<Applied> {
        let (reply, answer) = oneshot::channel();
        let begins = {
            let mut state = self.lock();
            state.waiting.push(Waiting { scopes, reply });
            !std::mem::replace(&mut state.is_served, true)
        };
        if begins {
            // In a task of its own: whoever goes away half-way takes nobody along.
            let serves = Serves(northbound.clone());
            tokio::spawn(async move {
                while let Some(group) = serves.0.line.next() {
                    write(&serves.0, group).await;
                }
            });
        }
        // Its task ended with the runtime.
        answer.await.map_err(|_| Error::Interrupted { remote: "OVN_Northbound".to_owned() })?
    }

    /// Those whose scopes differ, in the order in which they came.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut state = self.lock();
        let (mut group, mut later, mut prefixes) = (Vec::new(), Vec::new(), HashSet::new());
        for waiting in state.waiting.drain(..).filter(|waiting| !waiting.reply.is_closed()) {
            let is_alone = waiting.scopes.iter().all(|scope| !prefixes.contains(&scope.prefix));
            if group.len() < MOST && is_alone {
                prefixes.extend(waiting.scopes.iter().map(|scope| scope.prefix.clone()));
                group.push(waiting);
            } else {
                // Nor does anybody overtake him.
                prefixes.extend(waiting.scopes.iter().map(|scope| scope.prefix.clone()));
                later.push(waiting);
            }
        }
        state.waiting = later;
        state.is_served = !group.is_empty();
        state.is_served.then_some(group)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that serves the line. After a panic the next who comes begins another.
struct Serves(Northbound);

impl Drop for Serves {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.line.lock().is_served = false;
        }
    }
}

/// Writes a group. What one of them is refused for is no matter of the others: then each goes alone, all at once.
async fn write(northbound: &Northbound, group: Vec<Waiting>) {
    if group.len() > 1 {
        let all: Vec<Scope> = group.iter().flat_map(|waiting| waiting.scopes.iter().cloned()).collect();
        if let Ok(applied) = northbound.apply_now(&all).await {
            group.into_iter().for_each(|waiting| drop(waiting.reply.send(Ok(applied))));
            return;
        }
    }
    let mut alone = JoinSet::new();
    for Waiting { scopes, reply } in group {
        let northbound = northbound.clone();
        alone.spawn(async move { drop(reply.send(northbound.apply_now(&scopes).await)) });
    }
    while alone.join_next().await.is_some() {}
}
