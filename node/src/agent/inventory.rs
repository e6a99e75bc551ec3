// SPDX-License-Identifier: Apache-2.0
//! Everything of ours on the host, found by looking and not by remembering: what an audit compares with what should be.

use std::ops::Range;

use contracts::node::Answer;
use qemu::{machine::running_below, tap};
use uuid::Uuid;

use crate::{
    Error, Result,
    error::blocking,
    host::Host,
    ledger::{Found, Ledger},
    metadata,
    switch::Switching,
};

/// Machines' users are this many at most; a tap of one of them is ours.
const USERS: u32 = 1 << 16;

pub(super) async fn inventory(host: &Host, switch: Option<&Switching>) -> Result<Answer> {
    let state = host.state().clone();
    let users = users(host);
    let switch_ports = match switch {
        Some(switch) => switch.our_ports()?.into_iter().map(|port| port.name).collect(),
        None => Vec::new(),
    };
    blocking(move || {
        let processes = running_below(&state.machines())?.into_iter().map(|(server, _)| server.to_string()).collect();
        let taps = tap::list()?.into_iter().filter(|tap| tap.owner.is_some_and(|owner| users.contains(&owner)));
        let machines = Ledger::list(&state.machines())?.into_iter().map(|(server, found)| (server.to_string(), taps_of(&found)));
        Ok(Answer::Inventory {
            processes,
            taps: taps.map(|tap| tap.name).collect(),
            machines: machines.collect(),
            switch_ports,
            namespaces: metadata::namespaces(&state)?,
        })
    })
    .await
}

/// Removes a tap or a port of the switch that no machine has, by the operator's word.
pub(super) async fn remove_device(host: &Host, switch: Option<&Switching>, name: String) -> Result<Answer> {
    let dir = host.state().machines();
    let listed = blocking(move || Ledger::list(&dir)).await?;
    if listed.iter().any(|(_, found)| taps_of(found).contains(&name)) {
        return Err(Error::Unfit(format!("{name} is the tap of a machine that is here")));
    }
    if let Some(switch) = switch
        && switch.our_ports()?.iter().any(|port| port.name == name)
    {
        switch.release_port(&name).await?;
    }
    let users = users(host);
    blocking(move || {
        let is_ours = |tap: &tap::Tap| tap.name == name && tap.owner.is_some_and(|owner| users.contains(&owner));
        if tap::list()?.iter().any(is_ours) { Ok(tap::release(&name)?) } else { Ok(()) }
    })
    .await?;
    Ok(Answer::Removed)
}

fn users(host: &Host) -> Range<u32> {
    host.config().first_uid..host.config().first_uid.saturating_add(USERS)
}

fn taps_of(found: &Found) -> Vec<String> {
    let ids = found.ports().iter().filter_map(|port| port.as_str().parse::<Uuid>().ok());
    ids.map(tap::name_of).collect()
}
