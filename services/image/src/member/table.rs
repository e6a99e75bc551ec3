// SPDX-License-Identifier: Apache-2.0
//! The table of members.

use store::{Actor, Change, Event, Row as Columns, Tx, params};
use types::{ImageId, ProjectId, Timestamp};

use super::{Row, Status};
use crate::{Error, image};

pub fn is_member(tx: &mut Tx, image: &ImageId, project: &ProjectId) -> Result<bool, Error> {
    Ok(find(tx, image, project.as_str())?.is_some())
}

pub fn find(tx: &mut Tx, image: &ImageId, member: &str) -> Result<Option<Row>, Error> {
    let row = tx.query_opt(
        "SELECT image_id, member_id, status, created_at, updated_at FROM image_members WHERE image_id = $1 AND member_id = $2",
        &params![image.as_str(), member],
    )?;
    Ok(row.map(|row| from_columns(&row)).transpose()?)
}

pub fn list(tx: &mut Tx, image: &ImageId) -> Result<Vec<Row>, Error> {
    let rows = tx.query(
        "SELECT image_id, member_id, status, created_at, updated_at FROM image_members WHERE image_id = $1 ORDER BY created_at, member_id",
        &params![image.as_str()],
    )?;
    Ok(rows.iter().map(from_columns).collect::<Result<_, store::Error>>()?)
}

pub fn insert(tx: &mut Tx, actor: &Actor, image: &image::Row, member: &str) -> Result<Row, Error> {
    let now = Timestamp::now();
    let row =
        Row { image: image.id.clone(), member: member.to_owned(), status: Status::Pending, created_at: now, updated_at: now };
    tx.execute(
        "INSERT INTO image_members (image_id, member_id, status, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)",
        &params![row.image.as_str(), member, row.status.as_str(), now, now],
    )?;
    record(tx, actor, "image_member.create", image, None, Some(&row))?;
    Ok(row)
}

pub fn set_status(tx: &mut Tx, actor: &Actor, image: &image::Row, before: &Row, status: Status) -> Result<Row, Error> {
    let after = Row { status, updated_at: Timestamp::now(), ..before.clone() };
    tx.execute(
        "UPDATE image_members SET status = $3, updated_at = $4 WHERE image_id = $1 AND member_id = $2",
        &params![after.image.as_str(), after.member.as_str(), status.as_str(), after.updated_at],
    )?;
    record(tx, actor, "image_member.update", image, Some(before), Some(&after))?;
    Ok(after)
}

pub fn delete(tx: &mut Tx, actor: &Actor, image: &image::Row, member: &Row) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM image_members WHERE image_id = $1 AND member_id = $2",
        &params![member.image.as_str(), member.member.as_str()],
    )?;
    record(tx, actor, "image_member.delete", image, Some(member), None)
}

/// With an image goes whom it was shared with.
pub fn forget_image(tx: &mut Tx, image: &ImageId) -> Result<(), Error> {
    tx.execute("DELETE FROM image_members WHERE image_id = $1", &params![image.as_str()])?;
    Ok(())
}

fn from_columns(row: &Columns) -> Result<Row, store::Error> {
    Ok(Row {
        image: ImageId::new(row.get::<String>(0)?),
        member: row.get(1)?,
        status: Status::parse(row.get(2)?).unwrap_or(Status::Pending),
        created_at: row.get(3)?,
        updated_at: row.get(4)?,
    })
}

fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    image: &image::Row,
    before: Option<&Row>,
    after: Option<&Row>,
) -> Result<(), Error> {
    let change = Change { before: before.map(super::view), after: after.map(super::view) };
    let event = Event::of(actor, action, ("image_member", image.id.as_str()), &change)?;
    Ok(tx.record(event.of_project(image.owner.to_string()))?)
}
