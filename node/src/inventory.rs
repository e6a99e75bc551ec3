// SPDX-License-Identifier: Apache-2.0
//! Everything of ours on the host, found by looking and not by remembering: what an audit compares with what should be.

use contracts::node::Answer;
use qemu::{machine::running_below, tap};

use crate::{Result, error::blocking, host::Host, metadata};

/// Machines' users are this many at most; a tap of one of them is ours.
const USERS: u32 = 1 << 16;

pub(crate) async fn inventory(host: &Host) -> Result<Answer> {
    let state = host.state().clone();
    let users = host.config().first_uid..host.config().first_uid.saturating_add(USERS);
    let switch_ports = match host.switch() {
        Some(switch) => switch.our_ports()?.into_iter().map(|port| port.name).collect(),
        None => Vec::new(),
    };
    blocking(move || {
        let processes = running_below(&state.machines())?.into_iter().map(|(server, _)| server.to_string()).collect();
        let taps = tap::list()?.into_iter().filter(|tap| tap.owner.is_some_and(|owner| users.contains(&owner)));
        let machines = crate::machine::Ledger::list(&state.machines())?;
        Ok(Answer::Inventory {
            processes,
            taps: taps.map(|tap| tap.name).collect(),
            disks: machines.into_iter().map(|(server, ..)| server.to_string()).collect(),
            switch_ports,
            namespaces: metadata::namespaces(&state.tag())?,
        })
    })
    .await
}
