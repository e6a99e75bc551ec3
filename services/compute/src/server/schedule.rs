// SPDX-License-Identifier: Apache-2.0
//! Which host: filters, then a weigher, over facts already at hand. A refusal says which filter removed what.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use contracts::{nodes::NodeFacts, placement::Capacity, placement::Resources};
use types::{NodeId, ProviderId};

use super::Server;

/// A host that fits, best first in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub node: NodeId,
    pub host: String,
    pub provider: ProviderId,
}

/// Why a host does not do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    IsDown,
    IsDisabled,
    NotTheHostAskedFor,
    FailedBefore,
    OtherArchitecture(String),
    NotKnownToPlacement,
    Lacks { class: String, needs: i64, free: i64 },
}

/// What each host that does not do is refused for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Refused(pub Vec<(String, Reason)>);

/// What the server needs of its host, by resource class.
pub(crate) fn resources(server: &Server) -> Resources {
    let flavor = &server.flavor;
    let gigabytes = |bytes: u64| bytes.div_ceil(1 << 30);
    let disk = gigabytes(server.root_size()) + flavor.ephemeral_gb + flavor.swap_mb.div_ceil(1024);
    let amounts = [("VCPU", u64::from(flavor.vcpus)), ("MEMORY_MB", flavor.memory_mb), ("DISK_GB", disk)];
    let whole = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    amounts.into_iter().filter(|(_, amount)| *amount > 0).map(|(class, amount)| (class.to_owned(), whole(amount))).collect()
}

/// Servers that are on their way to a host and are not among its allocations yet, as MiB by provider. Without it all
/// servers of one request would see the same emptiest host.
#[derive(Debug, Default)]
pub(crate) struct Crowd(Arc<Mutex<Heading>>);

type Heading = HashMap<ProviderId, i64>;

/// A server's place in the crowd, until it holds its allocation or gave up.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Mutex<Heading>>,
    provider: ProviderId,
    memory: i64,
}

impl Crowd {
    /// The hosts that fit, the best first, which the server is now on its way to.
    pub(crate) fn candidates(
        &self,
        server: &Server,
        nodes: &[NodeFacts],
        capacities: &[Capacity],
    ) -> (Vec<Candidate>, Refused, Option<Place>) {
        let mut heading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (candidates, refused) = candidates(server, nodes, capacities, &heading);
        let place = candidates.first().map(|best| {
            let memory = i64::try_from(server.flavor.memory_mb).unwrap_or(i64::MAX);
            *heading.entry(best.provider.clone()).or_default() += memory;
            Place { crowd: self.0.clone(), provider: best.provider.clone(), memory }
        });
        (candidates, refused, place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut heading = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = heading.get_mut(&self.provider) {
            *memory -= self.memory;
        }
    }
}

/// The hosts that fit, the one with most free memory first.
fn candidates(server: &Server, nodes: &[NodeFacts], capacities: &[Capacity], heading: &Heading) -> (Vec<Candidate>, Refused) {
    let needs = resources(server);
    let mut fitting: Vec<(i64, Candidate)> = Vec::new();
    let mut refused = Refused::default();
    for node in nodes {
        let capacity = capacities.iter().find(|capacity| capacity.provider.as_str() == node.id.as_str());
        match judge(server, node, capacity, &needs) {
            Err(reason) => refused.0.push((node.hostname.clone(), reason)),
            Ok(capacity) => {
                let heading_there = heading.get(&capacity.provider).copied().unwrap_or(0);
                let free = capacity.free.get("MEMORY_MB").copied().unwrap_or(0) - heading_there;
                let provider = capacity.provider.clone();
                fitting.push((free, Candidate { node: node.id.clone(), host: node.hostname.clone(), provider }));
            }
        }
    }
    fitting.sort_by(|(a, first), (b, second)| b.cmp(a).then_with(|| first.host.cmp(&second.host)));
    (fitting.into_iter().map(|(_, candidate)| candidate).collect(), refused)
}

fn judge<'a>(
    server: &Server,
    node: &NodeFacts,
    capacity: Option<&'a Capacity>,
    needs: &Resources,
) -> Result<&'a Capacity, Reason> {
    if server.wanted_host.as_ref().is_some_and(|host| *host != node.hostname) {
        return Err(Reason::NotTheHostAskedFor);
    }
    if !node.up {
        return Err(Reason::IsDown);
    }
    if node.disabled && !server.host_is_forced {
        return Err(Reason::IsDisabled);
    }
    if server.tried.contains(&node.id) {
        return Err(Reason::FailedBefore);
    }
    let arch = node.hello.as_ref().map(|hello| hello.cpu_arch.as_str()).filter(|arch| !arch.is_empty());
    if let (Some(wanted), Some(arch)) = (&server.image.arch, arch)
        && !same_architecture(wanted, arch)
    {
        return Err(Reason::OtherArchitecture(arch.to_owned()));
    }
    let capacity = capacity.ok_or(Reason::NotKnownToPlacement)?;
    for (class, needed) in needs {
        let free = capacity.free.get(class).copied().unwrap_or(0);
        if free < *needed {
            return Err(Reason::Lacks { class: class.clone(), needs: *needed, free });
        }
    }
    Ok(capacity)
}

/// Images name architectures in more than one way.
fn same_architecture(a: &str, b: &str) -> bool {
    let canonical = |arch: &str| match arch.to_ascii_lowercase().as_str() {
        "amd64" | "x86-64" | "x86_64" => "x86_64".to_owned(),
        "arm64" | "aarch64" => "aarch64".to_owned(),
        other => other.to_owned(),
    };
    canonical(a) == canonical(b)
}

impl Refused {
    pub(crate) fn note(&mut self, host: &str, reason: Reason) {
        self.0.push((host.to_owned(), reason));
    }

    /// For the tenant: how many hosts for which reason, and none by name.
    pub(crate) fn counts(&self) -> String {
        let mut reasons: Vec<String> = self.0.iter().map(|(_, reason)| reason.for_tenant()).collect();
        let hosts = reasons.len();
        reasons.sort();
        let mut counted: Vec<(usize, String)> = Vec::new();
        for reason in reasons {
            match counted.last_mut() {
                Some((count, known)) if *known == reason => *count += 1,
                _ => counted.push((1, reason)),
            }
        }
        match hosts {
            0 => "there are no hosts".to_owned(),
            1 => format!("1 host: it {}", counted[0].1),
            _ => {
                let parts = counted.iter().map(|(count, reason)| format!("{count} {}", plural(*count, reason)));
                format!("{hosts} hosts: {}", parts.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// For the operator: each host and its reason.
    pub(crate) fn by_host(&self) -> String {
        let lines = self.0.iter().map(|(host, reason)| format!("{host}: {}", reason.for_operator()));
        lines.collect::<Vec<_>>().join("; ")
    }
}

impl Reason {
    fn for_tenant(&self) -> String {
        match self {
            Self::IsDown => "is down".to_owned(),
            Self::IsDisabled => "is disabled".to_owned(),
            Self::NotTheHostAskedFor => "is not the one asked for".to_owned(),
            Self::FailedBefore => "failed to build it before".to_owned(),
            Self::OtherArchitecture(_) => "is of another architecture than the image".to_owned(),
            Self::NotKnownToPlacement => "is not ready yet".to_owned(),
            Self::Lacks { class, needs, .. } => format!("lacks {class} (needs {needs})"),
        }
    }

    fn for_operator(&self) -> String {
        match self {
            Self::Lacks { class, needs, free } => format!("lacks {class} (needs {needs}, free {free})"),
            Self::OtherArchitecture(arch) => format!("is {arch}, unlike the image"),
            Self::NotKnownToPlacement => "has no inventory in placement".to_owned(),
            other => other.for_tenant(),
        }
    }
}

fn plural(count: usize, reason: &str) -> String {
    if count == 1 {
        return reason.to_owned();
    }
    match reason.split_once(' ') {
        Some(("is", rest)) => format!("are {rest}"),
        Some(("lacks", rest)) => format!("lack {rest}"),
        _ => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_for_the_tenant_and_names_for_the_operator() {
        let lacks = |free| Reason::Lacks { class: "MEMORY_MB".to_owned(), needs: 2048, free };
        let mut refused = Refused::default();
        refused.note("a", lacks(12));
        refused.note("b", Reason::IsDisabled);
        refused.note("c", lacks(100));
        assert_eq!(refused.counts(), "3 hosts: 1 is disabled, 2 lack MEMORY_MB (needs 2048)");
        assert_eq!(
            refused.by_host(),
            "a: lacks MEMORY_MB (needs 2048, free 12); b: is disabled; c: lacks MEMORY_MB (needs 2048, free 100)"
        );
        assert_eq!(Refused::default().counts(), "there are no hosts");
    }

    #[test]
    fn architectures_have_more_than_one_name() {
        assert!(same_architecture("AMD64", "x86_64"));
        assert!(!same_architecture("aarch64", "x86_64"));
    }
}
