// SPDX-License-Identifier: Apache-2.0
//! A project as its table has it.

use store::Row;
use types::DomainId;

use super::Project;
use crate::error::Result;

pub const COLUMNS: &str = "id, domain_id, parent_id, name, description, enabled, tags, options, extra";

/// A statement that begins with `with` and selects projects from `from`.
pub fn with_columns(with: &str, from: &str) -> String {
    let columns: Vec<String> = COLUMNS.split(", ").map(|column| format!("projects.{column}")).collect();
    format!("{with} SELECT {} FROM {from}", columns.join(", "))
}

pub fn read(row: &Row) -> Result<Project> {
    let domain_id: DomainId = row.get(1)?;
    let parent: Option<String> = row.get(2)?;
    Ok(Project {
        id: row.get(0)?,
        parent_id: parent.unwrap_or_else(|| domain_id.as_str().to_owned()),
        domain_id,
        name: row.get(3)?,
        description: row.get(4)?,
        enabled: row.get(5)?,
        is_domain: false,
        tags: row.json(6)?,
        options: row.json(7)?,
        extra: row.json(8)?,
    })
}
