// SPDX-License-Identifier: Apache-2.0
//! The event of a device that is reached from outside by other addresses than before. It names the device, which for a machine is
//! its server: so that who tells machines of their addresses need not ask about all of them whenever a floating IP changes.

use std::net::IpAddr;

use serde::Serialize;
use store::{Change, Event, Tx, params};
use types::{FloatingIpId, PortId};

use super::Row;
use crate::{Result, port, who::Doer};

/// The kind of these events. Their resource is the device, by its id.
pub const KIND: &str = "device_addresses";

/// One address by which a device is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Reached<'a> {
    floating_ip_id: &'a FloatingIpId,
    floating_ip_address: IpAddr,
    fixed_ip_address: Option<IpAddr>,
    port_id: &'a PortId,
}

/// To be called where a floating IP is written, before a port that it led to is gone.
pub fn record(tx: &mut Tx, doer: &Doer, before: Option<&Row>, after: Option<&Row>) -> Result<()> {
    let (before, after) = (before.and_then(Row::reached), after.and_then(Row::reached));
    if before == after {
        return Ok(());
    }
    if let Some(before) = before {
        of_device(tx, doer, before.port_id, &Change::removed(&before))?;
    }
    if let Some(after) = after {
        of_device(tx, doer, after.port_id, &Change::made(&after))?;
    }
    Ok(())
}

/// A port that is deleted: its device has none of its addresses any more.
pub fn lost(tx: &mut Tx, doer: &Doer, port: &port::Row) -> Result<()> {
    if port.device_id.is_empty() {
        return Ok(());
    }
    let change = Change::removed(&port.id);
    let event = Event::of(&doer.actor, format!("{KIND}.{}", change.verb()), (KIND, &port.device_id), &change)?;
    Ok(tx.record(event.of_project(port.project_id.as_str()))?)
}

fn of_device(tx: &mut Tx, doer: &Doer, port: &PortId, change: &Change<&Reached<'_>>) -> Result<()> {
    let row = tx.query_opt("SELECT device_id, project_id FROM ports WHERE id = $1 AND device_id <> ''", &params![port])?;
    let Some(row) = row else { return Ok(()) };
    let (device, project): (String, String) = (row.get(0)?, row.get(1)?);
    let event = Event::of(&doer.actor, format!("{KIND}.{}", change.verb()), (KIND, &device), change)?;
    Ok(tx.record(event.of_project(project))?)
}

impl Row {
    fn reached(&self) -> Option<Reached<'_>> {
        Some(Reached {
            floating_ip_id: &self.id,
            floating_ip_address: self.floating_ip_address,
            fixed_ip_address: self.fixed_ip_address,
            port_id: self.port_id.as_ref()?,
        })
    }
}
