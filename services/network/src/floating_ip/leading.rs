// SPDX-License-Identifier: Apache-2.0
//! Which floating addresses lead to a port, as far as ports themselves need to know.

use store::{Tx, params};
use types::{PortId, Timestamp};

use super::{Row, reached};
use crate::{Result, balancer, keys, resource::Kept, who::Doer};

/// The floating addresses that lead to these ports, in one statement.
pub fn of_ports<'a>(tx: &mut Tx, ports: impl IntoIterator<Item = &'a PortId>) -> Result<Vec<Row>> {
    let select = Row::select().filter_in("port_id", ports);
    Row::rows(tx, select.sort(&[], "id"))
}

/// The port is about to go: its floating addresses lead nowhere.
pub fn disassociate_port(tx: &mut Tx, doer: &Doer, port: &PortId) -> Result<()> {
    for before in of_ports(tx, [port])? {
        let mut row = Row { port_id: None, fixed_ip_address: None, router_id: None, ..before.clone() };
        write(tx, doer, &before, &mut row)?;
    }
    Ok(())
}

pub fn write(tx: &mut Tx, doer: &Doer, before: &Row, row: &mut Row) -> Result<()> {
    row.updated_at = Timestamp::now();
    row.generation = before.generation + 1;
    tx.execute_cas(
        "UPDATE floating_ips SET description = $2, port_id = $3, fixed_ip_address = $4, router_id = $5, updated_at = $6, \
         generation = $7 WHERE id = $1 AND generation = $8",
        &params![
            &row.id,
            &row.description,
            row.port_id.as_ref(),
            row.fixed_ip_address.map(|address| address.to_string()),
            row.router_id.as_ref(),
            row.updated_at,
            row.generation,
            before.generation,
        ],
    )?;
    keys::mark(tx, &keys::floating_ip(&row.id))?;
    for port in before.port_id.iter().chain(&row.port_id) {
        balancer::mark_behind(tx, port)?;
    }
    doer.changed(tx, before, row)?;
    reached::record(tx, doer, Some(before), Some(row))
}
