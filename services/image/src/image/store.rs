// SPDX-License-Identifier: Apache-2.0
//! The table of images.

use access::{Allowed, Scope};
use store::{Actor, Event, Row as Columns, Tx, params};
use types::{Generation, ImageId, ProjectId, Timestamp};

use super::{DataFacts, Row, Status, Visibility};
use crate::Error;

pub const COLUMNS: &str = "id, name, owner, status, visibility, protected, os_hidden, disk_format, container_format, min_disk, \
     min_ram, size, virtual_size, checksum, sha512, properties, tags, generation, created_at, updated_at";

pub fn from_columns(row: &Columns) -> Result<Row, store::Error> {
    let size: Option<i64> = row.get(11)?;
    let data = match size {
        None => None,
        Some(size) => Some(DataFacts { size, virtual_size: row.get(12)?, md5: row.get(13)?, sha512: row.get(14)? }),
    };
    Ok(Row {
        id: ImageId::new(row.get::<String>(0)?),
        name: row.get(1)?,
        owner: ProjectId::new(row.get::<String>(2)?),
        status: Status::parse(row.get(3)?).unwrap_or(Status::Queued),
        visibility: Visibility::parse(row.get(4)?).unwrap_or(Visibility::Private),
        protected: row.get(5)?,
        hidden: row.get(6)?,
        disk_format: row.get(7)?,
        container_format: row.get(8)?,
        min_disk: row.get(9)?,
        min_ram: row.get(10)?,
        data,
        properties: row.json(15)?,
        tags: row.json(16)?,
        generation: Generation(row.get(17)?),
        created_at: Timestamp(row.get(18)?),
        updated_at: Timestamp(row.get(19)?),
    })
}

/// An image that the caller may see: his project's own, a public or a community one. Any other is not there.
pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Row, Error> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM images WHERE id = $1"), &params![id])?;
    let image = row.map(|row| from_columns(&row)).transpose()?.ok_or_else(|| Error::NotFound(id.to_owned()))?;
    let open = matches!(image.visibility, Visibility::Public | Visibility::Community);
    if open || allowed.scope().admits(&image.owner, None) { Ok(image) } else { Err(Error::NotFound(id.to_owned())) }
}

/// An image that the caller may change: his project's own. One that he sees but does not own is refused, not hidden.
pub fn get_own(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Row, Error> {
    let image = get(tx, allowed, id)?;
    if allowed.scope().admits(&image.owner, None) {
        return Ok(image);
    }
    Err(Error::Forbidden("You are not permitted to change this image: it belongs to another project.".into()))
}

pub fn insert(tx: &mut Tx, actor: &Actor, image: &Row) -> Result<(), Error> {
    let done = tx.execute(
        &format!(
            "INSERT INTO images ({COLUMNS}) VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"
        ),
        &columns(image),
    );
    match done {
        Err(store::Error::Unique { .. }) => {
            return Err(Error::Conflict(format!("An image with the id {} exists already.", image.id)));
        }
        other => other?,
    };
    record(tx, actor, "image.create", None, Some(image))
}

/// Writes the image as it shall be, if nobody changed it since it was read.
pub fn update(tx: &mut Tx, actor: &Actor, before: &Row, after: &Row) -> Result<Row, Error> {
    let mut after = after.clone();
    after.generation = before.generation.next();
    after.updated_at = Timestamp::now();
    let mut values = columns(&after);
    values.push(before.generation.0.into());
    tx.execute_cas(
        "UPDATE images SET name = $2, owner = $3, status = $4, visibility = $5, protected = $6, os_hidden = $7, disk_format = $8, \
         container_format = $9, min_disk = $10, min_ram = $11, size = $12, virtual_size = $13, checksum = $14, sha512 = $15, \
         properties = $16, tags = $17, generation = $18, created_at = $19, updated_at = $20 WHERE id = $1 AND generation = $21",
        &values,
    )?;
    record(tx, actor, "image.update", Some(before), Some(&after))?;
    Ok(after)
}

pub fn delete(tx: &mut Tx, actor: &Actor, image: &Row) -> Result<(), Error> {
    tx.execute_cas("DELETE FROM images WHERE id = $1 AND generation = $2", &params![image.id.as_str(), image.generation.0])?;
    record(tx, actor, "image.delete", Some(image), None)
}

/// The ids of all images that are not `status`-less leftovers: those whose file may lie in the folder.
pub fn ids_with(tx: &mut Tx, status: Status) -> Result<Vec<ImageId>, Error> {
    let rows = tx.query("SELECT id FROM images WHERE status = $1", &params![status.as_str()])?;
    Ok(rows.iter().map(|row| Ok(ImageId::new(row.get::<String>(0)?))).collect::<Result<_, store::Error>>()?)
}

fn columns(image: &Row) -> Vec<store::Value> {
    let data = image.data.as_ref();
    params![
        image.id.as_str(),
        image.name.clone(),
        image.owner.as_str(),
        image.status.as_str(),
        image.visibility.as_str(),
        image.protected,
        image.hidden,
        image.disk_format.clone(),
        image.container_format.clone(),
        image.min_disk,
        image.min_ram,
        data.map(|data| data.size),
        data.map(|data| data.virtual_size),
        data.map(|data| data.md5.clone()),
        data.map(|data| data.sha512.clone()),
        serde_json::json!(image.properties).to_string(),
        serde_json::json!(image.tags).to_string(),
        image.generation.0,
        image.created_at.micros(),
        image.updated_at.micros()
    ]
    .to_vec()
}

fn record(tx: &mut Tx, actor: &Actor, action: &str, before: Option<&Row>, after: Option<&Row>) -> Result<(), Error> {
    let Some(image) = after.or(before) else { return Ok(()) };
    tx.record(Event {
        actor: actor.clone(),
        action: action.to_owned(),
        resource_type: "image",
        resource_id: image.id.to_string(),
        project_id: Some(image.owner.to_string()),
        before: before.map(super::view::view),
        after: after.map(super::view::view),
    })?;
    Ok(())
}
