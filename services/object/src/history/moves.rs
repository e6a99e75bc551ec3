// SPDX-License-Identifier: Apache-2.0
//! Objects go into the history of their container, and come back from it. Whoever may change the container's objects makes
//! that happen; what its owner said of the other container is not asked.

use store::Tx;
use types::Timestamp;

use super::{History, Way};
use crate::{
    Error,
    container::{Container, table as containers},
    data::{self, Taken},
    grant::{Granted, Writing},
    listing::{Span, after_all},
    object::{Kind, Object, Words, table},
    stamp,
};

/// The type of content of a mark: here the object was removed.
const REMOVED: &str = "application/x-deleted;swift_versions_deleted=1";
/// Versions that are looked at to find one that is still there.
const LOOKED_AT: usize = 100;

/// What is about to be replaced is kept, if its container keeps a history.
pub fn keep(tx: &mut Tx, container: &Container, before: &Object) -> Result<(), Error> {
    let Some(history) = &container.history else { return Ok(()) };
    // What consists of all that begins so is no more than a header; Swift keeps none of it, either.
    if before.kind == Kind::Prefix || before.is_due() {
        return Ok(());
    }
    let versions = Versions::of(tx, container, history)?;
    data::table::hold(tx, &before.data)?;
    let version = Object { name: format!("{}{}", folder(&before.name), stamp::seconds(before.stamp)), ..before.clone() };
    versions.put(tx, &version)
}

/// The object is removed, as the way of its history has it. False: there is nothing to be removed.
pub fn remove(
    tx: &mut Tx,
    granted: &Granted<Writing>,
    container: &Container,
    now: Option<&Object>,
    name: &str,
    at: Timestamp,
) -> Result<bool, Error> {
    match (&container.history, now) {
        (None, None) => Ok(false),
        (None, Some(now)) => table::delete(tx, granted, container, now).map(|()| true),
        (Some(history), now) if history.way == Way::Stack => take_back(tx, granted, container, history, now, name, at),
        (Some(_), None) => Ok(false),
        (Some(history), Some(now)) => {
            keep(tx, container, now)?;
            let versions = Versions::of(tx, container, history)?;
            let mark = mark(tx, name, at)?;
            versions.put(tx, &mark)?;
            table::delete(tx, granted, container, now).map(|()| true)
        }
    }
}

/// The version before takes the place of what is removed.
fn take_back(
    tx: &mut Tx,
    granted: &Granted<Writing>,
    container: &Container,
    history: &History,
    now: Option<&Object>,
    name: &str,
    at: Timestamp,
) -> Result<bool, Error> {
    let Some(versions) = Versions::find(tx, container, history)? else {
        return now.map_or(Ok(false), |now| table::delete(tx, granted, container, now).map(|()| true));
    };
    let mut found = versions.newest(tx, name)?.into_iter();
    let mut version = found.next();
    if let Some(mark) = version.as_ref().filter(|version| version.content_type == REMOVED) {
        versions.delete(tx, mark)?;
        if let Some(now) = now {
            // Before this one there was none.
            return table::delete(tx, granted, container, now).map(|()| true);
        }
        version = found.find(|version| version.content_type != REMOVED);
    }
    match (version, now) {
        (Some(version), now) => {
            data::table::hold(tx, &version.data)?;
            versions.delete(tx, &version)?;
            let again = Object { name: name.to_owned(), stamp: at, ..version };
            table::put(tx, granted, container, now, &again)
        }
        (None, Some(now)) => table::delete(tx, granted, container, now).map(|()| true),
        (None, None) => Ok(false),
    }
}

/// The container that versions go to.
struct Versions {
    container: Container,
    granted: Granted<Writing>,
}

impl Versions {
    fn find(tx: &mut Tx, of: &Container, history: &History) -> Result<Option<Self>, Error> {
        let found = containers::by_name(tx, &of.project, &history.container)?;
        Ok(found.map(|container| Self { granted: Granted::for_work(&container.project, &container.name), container }))
    }

    fn of(tx: &mut Tx, of: &Container, history: &History) -> Result<Self, Error> {
        Self::find(tx, of, history)?.ok_or_else(|| {
            let message = format!("The container '{}', which old versions go to, does not exist.", history.container);
            Error::Precondition(message)
        })
    }

    fn put(&self, tx: &mut Tx, version: &Object) -> Result<(), Error> {
        let before = table::get_to_change(tx, &self.granted, &self.container, &version.name)?;
        if table::put(tx, &self.granted, &self.container, before.as_ref(), version)? {
            return Ok(());
        }
        data::table::let_go(tx, &version.data)
    }

    fn delete(&self, tx: &mut Tx, version: &Object) -> Result<(), Error> {
        table::delete(tx, &self.granted, &self.container, version)
    }

    /// The newest first.
    fn newest(&self, tx: &mut Tx, name: &str) -> Result<Vec<Object>, Error> {
        let folder = folder(name);
        let below = after_all(&folder);
        let span = Span { from: Some(folder), below, reverse: true, limit: LOOKED_AT, above: None };
        let granted = Granted::for_work(&self.container.project, &self.container.name);
        let names = table::list(tx, &granted, &self.container, &span)?;
        let mut versions = Vec::new();
        for (name, _) in names {
            versions.extend(table::get_to_change(tx, &self.granted, &self.container, &name)?);
        }
        Ok(versions)
    }
}

/// `00abasename/`: the length of the name stands before it, so that no other's folder begins with it.
fn folder(name: &str) -> String {
    format!("{:03x}{name}/", name.len())
}

fn mark(tx: &mut Tx, name: &str, at: Timestamp) -> Result<Object, Error> {
    let nothing = Taken::nothing();
    data::table::keep(tx, &nothing)?;
    Ok(Object {
        name: format!("{}{}", folder(name), stamp::seconds(at)),
        data: nothing.data.id.clone(),
        size: 0,
        shown_size: 0,
        etag: nothing.md5.clone(),
        kind: Kind::Plain,
        content_type: REMOVED.to_owned(),
        words: Words::default(),
        stamp: at,
        delete_at: None,
    })
}
