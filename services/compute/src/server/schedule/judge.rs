// SPDX-License-Identifier: Apache-2.0
//! Whether one host does.

use contracts::{
    node::Feature,
    nodes::NodeFacts,
    placement::{Capacity, Resources},
};

use super::{Reason, Sought};

/// What the host has free, if it does.
pub(super) fn judge<'a>(sought: &Sought, node: &NodeFacts, capacity: Option<&'a Capacity>) -> Result<&'a Resources, Reason> {
    let server = sought.server;
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
    if let Some((_, reason)) = sought.not_on.iter().find(|(id, _)| *id == node.id) {
        return Err(reason.clone());
    }
    let arch = node.hello.as_ref().map(|hello| hello.cpu_arch.as_str()).filter(|arch| !arch.is_empty());
    if let (Some(wanted), Some(arch)) = (&server.image.arch, arch)
        && !same_architecture(wanted, arch)
    {
        return Err(Reason::OtherArchitecture(arch.to_owned()));
    }
    if sought.has_volumes && !node.can(Feature::Volumes) {
        return Err(Reason::ReachesNoVolumes);
    }
    let capacity = capacity.ok_or(Reason::NotKnownToPlacement)?;
    for (class, needed) in &sought.needs {
        let free = capacity.free.get(class).copied().unwrap_or(0);
        if free < *needed {
            return Err(Reason::Lacks { class: class.clone(), needs: *needed, free });
        }
    }
    Ok(&capacity.free)
}

/// Images name architectures in more than one way.
pub(crate) fn same_architecture(a: &str, b: &str) -> bool {
    let canonical = |arch: &str| match arch.to_ascii_lowercase().as_str() {
        "amd64" | "x86-64" | "x86_64" => "x86_64".to_owned(),
        "arm64" | "aarch64" => "aarch64".to_owned(),
        other => other.to_owned(),
    };
    canonical(a) == canonical(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_more_than_one_name() {
        assert!(same_architecture("AMD64", "x86_64"));
        assert!(!same_architecture("aarch64", "x86_64"));
    }
}
