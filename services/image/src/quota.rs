// SPDX-License-Identifier: Apache-2.0
//! What a project has of what it may have. Usage is read from the images themselves, in the transaction that adds to it.
//!
//! Invariant: bytes that are still on their way count, so that no number of uploads at once goes past the limit (test: `uploads_at_once_stay_within_the_quota`).

use store::{Tx, params};
use types::{ImageId, ProjectId};

use crate::{Error, settings::Quota};

const MIB: u64 = 1 << 20;

/// What a project uses now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub bytes: u64,
    pub staged: u64,
    pub count: u64,
    pub uploading: u64,
}

/// Without the image `but`, whose own share is about to change.
fn usage_but(tx: &mut Tx, owner: &ProjectId, but: &str) -> Result<Usage, Error> {
    let rows = tx.query(
        "SELECT status, size, reserved, staged, stores FROM images WHERE owner = $1 AND id <> $2",
        &params![owner.as_str(), but],
    )?;
    let mut usage = Usage::default();
    for row in rows {
        let status: String = row.get(0)?;
        let (size, reserved): (Option<i64>, i64) = (row.get(1)?, row.get(2)?);
        let staged: Option<i64> = row.get(3)?;
        let stores: Vec<String> = row.json(4)?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        usage.count += 1;
        usage.uploading += u64::from(matches!(status.as_str(), "saving" | "uploading" | "importing"));
        usage.staged += staged.map(unsigned).unwrap_or_default();
        usage.bytes += unsigned(size.unwrap_or_default()) * stores.len() as u64;
        // An upload under way goes into the staging area or into a store, by the state that its image is in.
        if status == "uploading" {
            usage.staged += unsigned(reserved);
        } else {
            usage.bytes += unsigned(reserved);
        }
    }
    Ok(usage)
}

pub fn usage(tx: &mut Tx, owner: &ProjectId) -> Result<Usage, Error> {
    usage_but(tx, owner, "")
}

pub fn check_count(tx: &mut Tx, quota: &Quota, owner: &ProjectId) -> Result<(), Error> {
    let Some(limit) = quota.count_total else { return Ok(()) };
    let used = usage(tx, owner)?.count;
    if used < limit { Ok(()) } else { Err(over("image_count_total", limit, used)) }
}

/// Before an image begins to take data.
pub fn check_uploading(tx: &mut Tx, quota: &Quota, owner: &ProjectId, image: &ImageId) -> Result<(), Error> {
    let Some(limit) = quota.count_uploading else { return Ok(()) };
    let used = usage_but(tx, owner, image.as_str())?.uploading;
    if used < limit { Ok(()) } else { Err(over("image_count_uploading", limit, used)) }
}

/// Whether `image` may have this many bytes in stores, all copies together.
pub fn check_bytes(tx: &mut Tx, quota: &Quota, owner: &ProjectId, image: &ImageId, bytes: u64) -> Result<(), Error> {
    grant_bytes(tx, quota, owner, image, bytes, bytes).map(drop)
}

/// Of the bytes that `image` would like to have in stores, as many as it may; at least those that it needs.
pub fn grant_bytes(tx: &mut Tx, quota: &Quota, owner: &ProjectId, image: &ImageId, needs: u64, likes: u64) -> Result<u64, Error> {
    let Some(limit) = quota.size_total else { return Ok(likes) };
    let used = usage_but(tx, owner, image.as_str())?.bytes;
    grant("image_size_total", limit, used, needs, likes)
}

/// The same for bytes that are staged.
pub fn grant_staged(
    tx: &mut Tx,
    quota: &Quota,
    owner: &ProjectId,
    image: &ImageId,
    needs: u64,
    likes: u64,
) -> Result<u64, Error> {
    let Some(limit) = quota.stage_total else { return Ok(likes) };
    let used = usage_but(tx, owner, image.as_str())?.staged;
    grant("image_stage_total", limit, used, needs, likes)
}

fn grant(resource: &str, limit: u64, used: u64, needs: u64, likes: u64) -> Result<u64, Error> {
    let left = (limit * MIB).saturating_sub(used);
    if needs <= left { Ok(likes.min(left)) } else { Err(over(resource, limit, used.div_ceil(MIB))) }
}

fn over(resource: &str, limit: u64, used: u64) -> Error {
    Error::OverLimit(format!(
        "The project is over its limit: {resource} is limited to {limit}, and {used} are used already. Delete images that are no \
         longer needed or ask the operator for more."
    ))
}
