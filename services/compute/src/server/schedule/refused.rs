// SPDX-License-Identifier: Apache-2.0
//! Why hosts do not do, for the tenant who may not know them and for the operator who does.

/// Why a host does not do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    IsDown,
    IsDisabled,
    NotTheHostAskedFor,
    FailedBefore,
    /// It runs there, and is to leave.
    IsItsOwn,
    MovesNoDisks,
    ReachesNoVolumes,
    OtherArchitecture(String),
    NotKnownToPlacement,
    Lacks {
        class: String,
        needs: i64,
        free: i64,
    },
}

/// What each host that does not do is refused for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Refused(Vec<(String, Reason)>);

impl Refused {
    pub(crate) fn note(&mut self, host: &str, reason: Reason) {
        self.0.push((host.to_owned(), reason));
    }

    /// Something else is known of this host by now.
    pub(crate) fn note_instead(&mut self, host: &str, reason: Reason) {
        self.0.retain(|(known, _)| known != host);
        self.note(host, reason);
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
            Self::IsItsOwn => "is the one on which it is".to_owned(),
            Self::MovesNoDisks => "is of a version that moves no disks".to_owned(),
            Self::ReachesNoVolumes => "is of a version that reaches no volumes".to_owned(),
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
}
