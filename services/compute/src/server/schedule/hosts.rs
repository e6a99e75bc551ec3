// SPDX-License-Identifier: Apache-2.0
//! The hosts as they were a moment ago, shared by all servers that look for one.
//!
//! Reading every host and all that is taken of it for each server of a burst would cost hosts times servers. So a look
//! serves for a moment, and what is decided by it holds whatever has changed: a host is asked once more whether it takes
//! servers, placement gives room away in a transaction of its own, and nobody hears that there is none before the hosts
//! were looked at anew.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use contracts::{
    nodes::NodeFacts,
    placement::{Capacity, Claim, Resources},
};
use futures_util::future::{join, try_join};
use types::{NodeId, ProviderId};
use work::crash;

use super::{Candidate, Placed, Reason, Refused, Sought, judge::judge};
use crate::{Compute, error::Result};

/// How long a look at the hosts serves.
const A_MOMENT: Duration = Duration::from_secs(1);
/// So many hosts are asked for room after one look.
const ASKED: usize = 8;
/// After so many looks in which others were faster everywhere, a server waits.
const LOOKS: usize = 3;

#[derive(Default)]
pub(crate) struct Hosts {
    seen: Mutex<Option<Seen>>,
    /// Held while the hosts are looked at: one look serves all who wait for it.
    looking: tokio::sync::Mutex<()>,
    heading: Arc<Mutex<Heading>>,
}

struct Seen {
    /// When the look began.
    at: Instant,
    hosts: Vec<Host>,
}

struct Host {
    facts: NodeFacts,
    /// With what was taken since then taken off.
    capacity: Option<Capacity>,
}

/// Servers that are on their way to a host and are not among its allocations yet, as MiB by provider. Without it all
/// servers of one request would see the same emptiest host.
type Heading = HashMap<ProviderId, i64>;

/// A server's place in the crowd, until it holds its allocation or gave up.
struct OnItsWay {
    crowd: Arc<Mutex<Heading>>,
    provider: ProviderId,
    memory: i64,
}

/// What came of one look.
struct Choice {
    /// Best first.
    candidates: Vec<Candidate>,
    seen_at: Instant,
    _place: Option<OnItsWay>,
}

impl Hosts {
    /// Room for the server on the best host that grants it, and what was done beside the claim there.
    pub(crate) async fn find_room<F: Future>(
        &self,
        room: &Compute,
        sought: &Sought<'_>,
        beside: impl Fn(NodeId) -> F,
    ) -> Result<Placed<F::Output>> {
        let began = Instant::now();
        let mut full: Vec<(String, Reason)> = Vec::new();
        for look in 0..LOOKS {
            let not_before = if look == 0 { began.checked_sub(A_MOMENT).unwrap_or(began) } else { Instant::now() };
            self.look(room, not_before).await?;
            let choice = self.choose(sought);
            crash::point("compute.server.scheduled");
            if choice.candidates.is_empty() {
                if choice.seen_at < began {
                    continue;
                }
                return Ok(self.nowhere(room, sought, full));
            }
            for candidate in &choice.candidates {
                if choice.seen_at < began && !takes_servers(room, sought, &candidate.node).await? {
                    break;
                }
                let server = sought.server;
                let claim = room.placement.claim(
                    &sought.consumer,
                    &candidate.provider,
                    &sought.needs,
                    &server.project_id,
                    &server.user_id,
                );
                let (done, claimed) = join(beside(candidate.node.clone()), claim).await;
                match claimed? {
                    Claim::Held => {
                        self.taken(choice.seen_at, &candidate.provider, &sought.needs);
                        return Ok(Placed::On(candidate.clone(), done));
                    }
                    // Another server took the room since it was looked at.
                    Claim::Full(classes) => {
                        let class = classes.first().cloned().unwrap_or_else(|| "room".to_owned());
                        let needs = sought.needs.get(&class).copied().unwrap_or_default();
                        full.push((candidate.host.clone(), Reason::Lacks { class, needs, free: 0 }));
                    }
                }
            }
        }
        Ok(Placed::NotYet)
    }

    /// Sees to it that the hosts were looked at then or later.
    async fn look(&self, room: &Compute, not_before: Instant) -> Result<()> {
        let is_seen = || self.seen().as_ref().is_some_and(|seen| seen.at >= not_before);
        if is_seen() {
            return Ok(());
        }
        let _turn = self.looking.lock().await;
        if is_seen() {
            return Ok(());
        }
        let at = Instant::now();
        let (nodes, capacities) = try_join(room.nodes.list(), room.placement.capacities()).await?;
        let mut capacities: HashMap<String, Capacity> =
            capacities.into_iter().map(|capacity| (capacity.provider.to_string(), capacity)).collect();
        let hosts = nodes.into_iter().map(|facts| Host { capacity: capacities.remove(facts.id.as_str()), facts });
        let hosts = hosts.collect();
        *self.seen() = Some(Seen { at, hosts });
        Ok(())
    }

    /// The hosts that fit, the one with most free memory first, which the server is now on its way to.
    fn choose(&self, sought: &Sought) -> Choice {
        let seen = self.seen();
        let Some(seen) = &*seen else { return Choice { candidates: Vec::new(), seen_at: Instant::now(), _place: None } };
        let mut heading = self.heading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fitting: Vec<(Reverse<i64>, &str, &Host)> = Vec::new();
        for host in &seen.hosts {
            if let Ok(free) = judge(sought, &host.facts, host.capacity.as_ref()) {
                let there = host.capacity.as_ref().and_then(|capacity| heading.get(&capacity.provider)).copied().unwrap_or(0);
                let memory = free.get("MEMORY_MB").copied().unwrap_or(0) - there;
                fitting.push((Reverse(memory), &host.facts.hostname, host));
            }
        }
        if fitting.len() > ASKED {
            fitting.select_nth_unstable_by(ASKED, |a, b| (a.0, a.1).cmp(&(b.0, b.1)));
            fitting.truncate(ASKED);
        }
        fitting.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let candidates: Vec<Candidate> = fitting.iter().filter_map(|(_, _, host)| host.candidate()).collect();
        let place = candidates.first().map(|best| {
            let memory = i64::try_from(sought.server.flavor.memory_mb).unwrap_or(i64::MAX);
            *heading.entry(best.provider.clone()).or_default() += memory;
            OnItsWay { crowd: self.heading.clone(), provider: best.provider.clone(), memory }
        });
        Choice { candidates, seen_at: seen.at, _place: place }
    }

    fn nowhere<T>(&self, room: &Compute, sought: &Sought, full: Vec<(String, Reason)>) -> Placed<T> {
        let seen = self.seen();
        let hosts = seen.as_ref().map_or(&[][..], |seen| &seen.hosts);
        if hosts.iter().any(|host| !host.facts.up && !room.is_away(&host.facts, room.patience.returning_node)) {
            return Placed::NotYet;
        }
        let mut refused = Refused::default();
        for host in hosts {
            let hostname = &host.facts.hostname;
            match judge(sought, &host.facts, host.capacity.as_ref()) {
                Err(reason) => refused.note(hostname, reason),
                Ok(_) => {
                    full.iter().filter(|(full, _)| full == hostname).for_each(|(_, why)| refused.note(hostname, why.clone()))
                }
            }
        }
        Placed::Nowhere(refused)
    }

    /// What others find there is less by so much, unless the hosts were looked at since: then it may be known already.
    fn taken(&self, seen_at: Instant, provider: &ProviderId, needs: &Resources) {
        let mut seen = self.seen();
        let Some(seen) = seen.as_mut().filter(|seen| seen.at == seen_at) else { return };
        let mut capacities = seen.hosts.iter_mut().filter_map(|host| host.capacity.as_mut());
        let Some(capacity) = capacities.find(|capacity| capacity.provider == *provider) else { return };
        for (class, amount) in needs {
            if let Some(free) = capacity.free.get_mut(class) {
                *free -= amount;
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn candidate(&self) -> Option<Candidate> {
        let provider = self.capacity.as_ref()?.provider.clone();
        Some(Candidate { node: self.facts.id.clone(), host: self.facts.hostname.clone(), provider })
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let mut heading = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = heading.get_mut(&self.provider) {
            *memory -= self.memory;
            if *memory == 0 {
                heading.remove(&self.provider);
            }
        }
    }
}

/// Whether the host does, as it is now.
async fn takes_servers(room: &Compute, sought: &Sought<'_>, id: &NodeId) -> Result<bool> {
    let node = room.nodes.get(id).await?;
    Ok(node.is_some_and(|node| node.up && (!node.disabled || sought.server.host_is_forced)))
}
