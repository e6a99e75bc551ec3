// SPDX-License-Identifier: Apache-2.0
//! The table of images.

use std::collections::BTreeSet;

use store::{Actor, Change, Event, Row as Columns, Tx, params};
use types::{Generation, ImageId, ProjectId, Timestamp};

use super::{DataFacts, Place, Reach, Row, Status, Visibility};
use crate::{Error, data::given_up, location::Label, member};

pub const COLUMNS: &str = "id, name, owner, status, visibility, protected, os_hidden, disk_format, container_format, min_disk, \
     min_ram, size, virtual_size, checksum, sha512, properties, tags, generation, created_at, updated_at, content, holds, stores, \
     staged, reserved, importing, failed_import, declared, locations, said";

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
        place: Place {
            blob: row.get(20)?,
            holds: row.json(21)?,
            stores: row.json(22)?,
            staged: row.get(23)?,
            reserved: row.get(24)?,
            importing: row.json(25)?,
            failed: row.json(26)?,
            declared: row.json(27)?,
        },
        locations: row.json(28)?,
        said: row.json(29)?,
    })
}

/// The image itself, for work that nobody asks for.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<Row>, Error> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM images WHERE id = $1"), &params![id])?;
    Ok(row.map(|row| from_columns(&row)).transpose()?)
}

/// An image that the caller sees, if he may do what he asks for to images at all. One that he does not see is not there.
pub fn get(tx: &mut Tx, reach: &Reach, id: &str) -> Result<Row, Error> {
    let image = find(tx, id)?.ok_or_else(|| Error::NotFound(id.to_owned()))?;
    if !reach.sees(tx, &image)? {
        return Err(Error::NotFound(id.to_owned()));
    }
    reach.allowed()?;
    Ok(image)
}

/// An image that the caller may change: his project's own. One that he sees but does not own is refused, not hidden.
pub fn get_own(tx: &mut Tx, reach: &Reach, id: &str) -> Result<Row, Error> {
    let image = get(tx, reach, id)?;
    if reach.admits(&image) {
        return Ok(image);
    }
    Err(Error::Forbidden("You are not permitted to change this image: it belongs to another project.".into()))
}

pub fn insert(tx: &mut Tx, actor: &Actor, image: &Row) -> Result<(), Error> {
    let places: Vec<String> = (1..=COLUMNS.split(',').count()).map(|place| format!("${place}")).collect();
    let done = tx.execute(&format!("INSERT INTO images ({COLUMNS}) VALUES ({})", places.join(", ")), &columns(image));
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
    // What an upload under way may write is kept by `reserve` alone.
    values.remove(24);
    values.push(before.generation.0.into());
    tx.execute_cas(
        "UPDATE images SET name = $2, owner = $3, status = $4, visibility = $5, protected = $6, os_hidden = $7, disk_format = $8, \
         container_format = $9, min_disk = $10, min_ram = $11, size = $12, virtual_size = $13, checksum = $14, sha512 = $15, \
         properties = $16, tags = $17, generation = $18, created_at = $19, updated_at = $20, content = $21, holds = $22, \
         stores = $23, staged = $24, importing = $25, failed_import = $26, declared = $27, locations = $28, said = $29 \
         WHERE id = $1 AND generation = $30",
        &values,
    )?;
    given_up::note(tx, before, Some(&after))?;
    record(tx, actor, "image.update", Some(before), Some(&after))?;
    Ok(after)
}

/// Notes how many bytes an upload under way may write; none once it ended. Nobody needs an event of that, and nobody else's change is in its way.
pub fn reserve(tx: &mut Tx, id: &ImageId, bytes: i64) -> Result<(), Error> {
    tx.execute("UPDATE images SET reserved = $2 WHERE id = $1", &params![id.as_str(), bytes])?;
    Ok(())
}

pub fn delete(tx: &mut Tx, actor: &Actor, image: &Row) -> Result<(), Error> {
    tx.execute_cas("DELETE FROM images WHERE id = $1 AND generation = $2", &params![image.id.as_str(), image.generation.0])?;
    member::table::forget_image(tx, &image.id)?;
    given_up::note(tx, image, None)?;
    record(tx, actor, "image.delete", Some(image), None)
}

/// All images in a state, whole.
pub fn with_status(tx: &mut Tx, status: Status) -> Result<Vec<Row>, Error> {
    let rows = tx.query(&format!("SELECT {COLUMNS} FROM images WHERE status = $1"), &params![status.as_str()])?;
    Ok(rows.iter().map(from_columns).collect::<Result<_, store::Error>>()?)
}

/// A blob and the stores that must keep it for one image.
pub struct Held {
    pub image: ImageId,
    pub blob: String,
    pub holds: BTreeSet<String>,
    pub stores: BTreeSet<String>,
}

/// Everything that must be kept.
pub fn held(tx: &mut Tx) -> Result<Vec<Held>, Error> {
    let rows = tx.query("SELECT id, content, holds, stores FROM images WHERE content IS NOT NULL", &[])?;
    let read = |row: &Columns| -> Result<Held, store::Error> {
        Ok(Held { image: ImageId::new(row.get::<String>(0)?), blob: row.get(1)?, holds: row.json(2)?, stores: row.json(3)? })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Whether any image needs this blob in this store.
pub fn is_held(tx: &mut Tx, store: &str, blob: &str) -> Result<bool, Error> {
    let rows = tx.query("SELECT holds FROM images WHERE content = $1", &params![blob])?;
    for row in rows {
        let holds: BTreeSet<String> = row.json(0)?;
        if holds.contains(store) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether any image has this blob, wherever.
pub fn is_known(tx: &mut Tx, blob: &str) -> Result<bool, Error> {
    Ok(tx.query_opt("SELECT id FROM images WHERE content = $1 LIMIT 1", &params![blob])?.is_some())
}

/// Ids of images whose data waits in the staging folder, or may be about to.
pub fn with_data_on_its_way(tx: &mut Tx) -> Result<Vec<ImageId>, Error> {
    let rows = tx.query("SELECT id FROM images WHERE staged IS NOT NULL OR status IN ('uploading', 'importing')", &[])?;
    Ok(rows.iter().map(|row| Ok(ImageId::new(row.get::<String>(0)?))).collect::<Result<_, store::Error>>()?)
}

fn columns(image: &Row) -> Vec<store::Value> {
    let (data, place) = (image.data.as_ref(), &image.place);
    let list = |stores: &BTreeSet<String>| serde_json::json!(stores).to_string();
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
        image.updated_at.micros(),
        place.blob.clone(),
        list(&place.holds),
        list(&place.stores),
        place.staged,
        place.reserved,
        place.importing.as_ref().map(list),
        place.failed.as_ref().map(list),
        place.declared.as_ref().map(|formats| serde_json::json!(formats).to_string()),
        serde_json::json!(image.locations).to_string(),
        image.said.as_ref().map(|said| serde_json::json!(said).to_string())
    ]
    .to_vec()
}

fn record(tx: &mut Tx, actor: &Actor, action: &str, before: Option<&Row>, after: Option<&Row>) -> Result<(), Error> {
    let Some(image) = after.or(before) else { return Ok(()) };
    let view = |image: &Row| {
        let mut view = super::view::view(image);
        if !image.locations.is_empty() {
            view["locations"] = image.locations.iter().map(Label::without_query).collect();
        }
        view
    };
    let change = Change { before: before.map(view), after: after.map(view) };
    let event = Event::of(actor, action, ("image", image.id.as_str()), &change)?;
    Ok(tx.record(event.of_project(image.owner.to_string()))?)
}
