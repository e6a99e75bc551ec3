// SPDX-License-Identifier: Apache-2.0
//! Ports that another host has bound than the one where their machine is. OVN's role for hosts lets each of them bind any
//! port, since ports move; so a host that fell to an attacker can draw another's traffic to itself, and this tells of it.

use std::collections::HashMap;

use contracts::audit::Finding;
use store::{Select, Tx};

use super::reconcile::ConvergeError;
use crate::{Room, neighbour::PLUGGED};

/// How many ports are looked up at once.
const CHUNK: usize = 500;

impl Room {
    /// Nothing while OVN's southbound database cannot be read.
    pub async fn misplaced(&self) -> Result<Vec<Finding>, ConvergeError> {
        let Ok(bindings) = self.southbound.bindings() else { return Ok(Vec::new()) };
        let bound: Vec<(String, String)> = bindings
            .into_iter()
            .filter(|binding| binding.kind.is_empty())
            .filter_map(|binding| Some((binding.logical_port, binding.chassis?)))
            .collect();
        let mut findings = Vec::new();
        for chunk in bound.chunks(CHUNK) {
            let chunk = chunk.to_vec();
            findings.extend(self.store.list(move |tx| wrong_among(tx, &chunk)).await?);
        }
        Ok(findings)
    }
}

fn wrong_among(tx: &mut Tx, bound: &[(String, String)]) -> crate::Result<Vec<Finding>> {
    let select =
        Select::new("ports", "id, host_id").condition(PLUGGED).filter_in("id", bound.iter().map(|(port, _)| port.as_str()));
    let rows = select.rows(tx)?;
    let homes: HashMap<&str, &str> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, store::Error>>()?;
    let wrong = bound.iter().filter_map(|(port, chassis)| {
        let home = homes.get(port.as_str()).filter(|home| **home != chassis)?;
        Some(Finding {
            room: "network".to_owned(),
            kind: "differs".to_owned(),
            thing: "Port_Binding".to_owned(),
            id: format!("port/{port}"),
            place: chassis.clone(),
            detail: format!("the host {chassis} has bound it, and its machine is on {home}"),
        })
    });
    Ok(wrong.collect())
}
