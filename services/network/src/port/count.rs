// SPDX-License-Identifier: Apache-2.0
//! How many ports a project has. They are counted as they come and go, since a project may have tens of thousands.

use store::{Tx, params};
use types::{PortId, ProjectId};

use crate::Result;

pub fn of_project(tx: &mut Tx, project: &ProjectId) -> Result<i64> {
    let rows = tx.query("SELECT ports FROM port_counts WHERE project_id = $1", &params![project])?;
    Ok(rows.iter().map(|row| row.get::<i64>(0)).sum::<store::Result<i64>>()?)
}

/// A port came (1) or went (-1). Those of the cloud itself are nobody's.
pub fn change(tx: &mut Tx, project: &ProjectId, id: &PortId, change: i64) -> Result<()> {
    if project.as_str().is_empty() {
        return Ok(());
    }
    let digit: String = id.as_str().chars().take(1).collect();
    let sql = "INSERT INTO port_counts (project_id, digit, ports) VALUES ($1, $2, $3) \
               ON CONFLICT (project_id, digit) DO UPDATE SET ports = port_counts.ports + $3";
    tx.execute(sql, &params![project, digit, change])?;
    Ok(())
}
