// SPDX-License-Identifier: Apache-2.0
//! What a change of an image gives up, noted in the transaction that makes the change.

use std::fmt;

use ::store::{Tx, params};
use types::Timestamp;

use crate::{
    Error,
    image::{Row, Status},
};

/// Where data may lie.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Where {
    Store(String),
    Staging,
    Near,
}

/// Something by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    pub place: Where,
    pub name: String,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(id) => write!(f, "store {id}"),
            Self::Staging => f.write_str("staging"),
            Self::Near => f.write_str("near"),
        }
    }
}

impl Where {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "staging" => Some(Self::Staging),
            "near" => Some(Self::Near),
            other => other.strip_prefix("store ").map(|id| Self::Store(id.to_owned())),
        }
    }
}

/// Notes what an image gives up that is about to be as `after` says, or to be gone.
pub fn note(tx: &mut Tx, before: &Row, after: Option<&Row>) -> Result<(), Error> {
    for named in given_up(before, after) {
        insert(tx, &named)?;
    }
    Ok(())
}

fn given_up(before: &Row, after: Option<&Row>) -> Vec<Named> {
    let mut given_up = Vec::new();
    if let Some(blob) = &before.place.blob {
        let kept = after.filter(|after| after.place.blob.as_ref() == Some(blob));
        let named = |place| Named { place, name: blob.clone() };
        let dropped = before.place.holds.iter().filter(|store| kept.is_none_or(|kept| !kept.place.holds.contains(*store)));
        given_up.extend(dropped.map(|store| named(Where::Store(store.clone()))));
        if kept.is_none() {
            given_up.push(named(Where::Near));
        }
    }
    // While it is being uploaded a file may have its name before the row says so.
    let may_be_staged =
        |image: &Row| image.place.staged.is_some() || matches!(image.status, Status::Uploading | Status::Importing);
    if may_be_staged(before) && !after.is_some_and(may_be_staged) {
        given_up.push(Named { place: Where::Staging, name: before.id.to_string() });
    }
    given_up
}

pub fn insert(tx: &mut Tx, named: &Named) -> Result<(), Error> {
    let sql = "INSERT INTO image_released (place, name, released_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, &params![named.place.to_string(), &named.name, Timestamp::now()])?;
    Ok(())
}
