// SPDX-License-Identifier: Apache-2.0
//! The flavors' tables. What a tenant may see: public flavors and those to which its project has access.

use access::Scope;
use serde::Serialize;
use store::{Actor, Change, Event, Row, Select, Tx, params};
use types::{FlavorId, ProjectId, Timestamp};

use super::{Flavor, STANDARD, Size};
use crate::error::{Error, Result};

pub(super) const COLUMNS: &str = "id, name, description, vcpus, memory_mb, disk_gb, ephemeral_gb, swap_mb, rxtx_milli, \
                                  is_public, extra_specs, created_at";

/// Who looks: the operator sees all flavors, a project its own and the public ones.
#[derive(Debug, Clone)]
pub(crate) enum Viewer {
    Operator,
    Project(Option<ProjectId>),
}

impl Viewer {
    /// As far as a policy lets the caller see; a flavor has no owner, so anything less than all means his project.
    pub(crate) fn of(scope: &Scope, project: Option<&ProjectId>) -> Self {
        if scope.is_all() { Self::Operator } else { Self::Project(project.cloned()) }
    }
}

pub(crate) fn from_row(row: &Row) -> store::Result<Flavor> {
    Ok(Flavor {
        id: row.get(0)?,
        description: row.get(2)?,
        rxtx_milli: row.get(8)?,
        is_public: row.get(9)?,
        created_at: row.get(11)?,
        size: Size {
            name: row.get(1)?,
            vcpus: row.get(3)?,
            memory_mb: row.get(4)?,
            disk_gb: row.get(5)?,
            ephemeral_gb: row.get(6)?,
            swap_mb: row.get(7)?,
            extra_specs: row.json(10)?,
        },
    })
}

pub(crate) fn visible(select: Select, viewer: &Viewer) -> Select {
    match viewer {
        Viewer::Operator => select,
        Viewer::Project(None) => select.condition("is_public = 1"),
        Viewer::Project(Some(project)) => select.condition_with(
            "is_public = 1 OR EXISTS (SELECT 1 FROM flavor_access WHERE flavor_id = flavors.id AND project_id = ?)",
            vec![project.into()],
        ),
    }
}

pub(crate) fn get(tx: &mut Tx, viewer: &Viewer, id: &FlavorId) -> Result<Flavor> {
    let select = visible(Select::new("flavors", COLUMNS).filter("id = ", id), viewer);
    let row = select.rows(tx)?.into_iter().next().ok_or_else(|| missing(id))?;
    Ok(from_row(&row)?)
}

pub(crate) fn missing(id: &FlavorId) -> Error {
    Error::not_found(format!("Flavor {id} could not be found."))
}

pub(crate) fn insert(tx: &mut Tx, flavor: &Flavor) -> Result<()> {
    let size = &flavor.size;
    let specs = serde_json::to_value(&size.extra_specs).unwrap_or_default();
    let inserted = tx.execute(
        "INSERT INTO flavors (id, name, description, vcpus, memory_mb, disk_gb, ephemeral_gb, swap_mb, rxtx_milli, is_public, \
         extra_specs, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        &params![
            &flavor.id,
            &size.name,
            flavor.description.clone(),
            size.vcpus,
            size.memory_mb,
            size.disk_gb,
            size.ephemeral_gb,
            size.swap_mb,
            flavor.rxtx_milli,
            flavor.is_public,
            specs,
            flavor.created_at
        ],
    )?;
    if inserted > 0 {
        return Ok(());
    }
    let id_taken = tx.query_opt("SELECT 1 FROM flavors WHERE id = $1", &params![&flavor.id])?.is_some();
    Err(if id_taken {
        Error::conflict(format!("Flavor with ID {} already exists.", flavor.id))
    } else {
        Error::conflict(format!("Flavor with name {} already exists.", size.name))
    })
}

/// Makes a change of a flavor, or of who may use it, and records the whole before and after.
pub(super) fn changing<T>(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    id: &FlavorId,
    change: impl FnOnce(&mut Tx) -> Result<T>,
) -> Result<T> {
    let before = whole(tx, id)?;
    let done = change(tx)?;
    let change = Change { before, after: whole(tx, id)? };
    tx.record(Event::of(actor, action, ("flavor", id.as_str()), &change)?)?;
    Ok(done)
}

/// A flavor and the projects that may use it though it is not public, as events show it.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    flavor: Flavor,
    projects: Vec<ProjectId>,
}

fn whole(tx: &mut Tx, id: &FlavorId) -> Result<Option<Whole>> {
    let rows = Select::new("flavors", COLUMNS).filter("id = ", id).rows(tx)?;
    let Some(flavor) = rows.first().map(from_row).transpose()? else { return Ok(None) };
    Ok(Some(Whole { flavor, projects: projects(tx, id)? }))
}

/// The projects that may use a flavor though it is not public.
pub(super) fn projects(tx: &mut Tx, id: &FlavorId) -> Result<Vec<ProjectId>> {
    let rows = tx.query("SELECT project_id FROM flavor_access WHERE flavor_id = $1 ORDER BY project_id", &params![id])?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?)
}

/// Makes the flavors of a new cloud; those that were deleted or changed since stay so, as long as one is there.
pub(crate) fn seed(tx: &mut Tx) -> Result<()> {
    if tx.query_opt("SELECT 1 FROM flavors LIMIT 1", &[])?.is_some() {
        return Ok(());
    }
    for (name, vcpus, memory_mb, disk_gb) in STANDARD {
        let size = Size {
            name: (*name).to_owned(),
            vcpus: *vcpus,
            memory_mb: *memory_mb,
            disk_gb: *disk_gb,
            ephemeral_gb: 0,
            swap_mb: 0,
            extra_specs: Default::default(),
        };
        let flavor = Flavor {
            id: FlavorId::new(*name),
            is_public: true,
            rxtx_milli: 1000,
            description: None,
            created_at: Timestamp::now(),
            size,
        };
        insert(tx, &flavor)?;
    }
    Ok(())
}
