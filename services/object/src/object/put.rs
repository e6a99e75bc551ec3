// SPDX-License-Identifier: Apache-2.0
//! An object comes: who may put it is asked first, then its bytes are taken, then one transaction makes it what is there.
//!
//! Invariant: of uploads of one name at once the one that began last stays, and none leaves anything (test:
//! `of_uploads_at_once_the_one_that_began_last_stays`).

use std::sync::Arc;

use types::Timestamp;

use super::{Kind, Object, Words, table};
use crate::{
    Error, Objects,
    account::table as accounts,
    container::table as containers,
    data::{self, Taken},
    grant::{Granted, Who, Writing},
    history,
    place::Place,
};

/// What is to be said of the object.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub stamp: Timestamp,
    pub content_type: String,
    pub words: Words,
    pub kind: Kind,
    pub delete_at: Option<Timestamp>,
    /// Only if there is none of this name.
    pub if_none: bool,
}

/// Of what it is made.
pub enum Content {
    Taken(Taken),
    /// The same data as another object's.
    Same {
        data: String,
        size: u64,
        shown_size: u64,
        etag: String,
    },
    /// The list of its segments, with what they come to.
    Manifest {
        list: Taken,
        shown_size: u64,
        etag: String,
    },
}

/// Who was let in to put an object.
pub struct Admitted {
    pub granted: Granted<Writing>,
    /// So many bytes there is room for by the quotas, as they stand.
    pub room: u64,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Put {
    pub etag: String,
    pub stamp: Timestamp,
    /// False: a younger one was there.
    pub is_there: bool,
}

/// May he put it, and is there room for it? Asked before its bytes are read.
pub async fn admit(room: &Objects, who: &Who, place: &Place, if_none: bool) -> Result<Admitted, Error> {
    place.check_lengths()?;
    let (who, place) = (who.clone(), place.clone());
    let read = room.store.read(move |tx| {
        let container = containers::find(tx, &place)?;
        let granted = who.writing(&place, container.as_ref())?;
        let container = container.ok_or(Error::NotFound)?;
        let account = accounts::find(tx, granted.project())?.ok_or(Error::NotFound)?;
        let there = table::get_to_change(tx, &granted, &container, &place.object)?;
        if if_none && there.as_ref().is_some_and(|there| !there.is_due()) {
            return Err(Error::Precondition("There is an object of this name.".to_owned()));
        }
        let (old, quota) = (there.as_ref().map_or(0, |there| there.size), container.quota());
        if there.is_none() && quota.objects.is_some_and(|most| container.objects >= most) {
            return Err(Error::TooLarge("Upload exceeds quota.".to_owned()));
        }
        let left = |quota: Option<u64>, used: u64| quota.map_or(u64::MAX, |quota| quota.saturating_add(old).saturating_sub(used));
        let room = left(quota.bytes, container.bytes).min(left(account.quota_bytes, account.bytes));
        Ok(Admitted { granted, room })
    });
    read.await
}

/// It is there when this returns, for good.
pub async fn commit(
    room: &Objects,
    granted: Granted<Writing>,
    place: &Place,
    wanted: Wanted,
    content: Content,
) -> Result<Put, Error> {
    let (content, stamp) = (Arc::new(content), wanted.stamp);
    let (place, shared) = (place.clone(), content.clone());
    let write = room.store.write(move |tx| {
        let container = containers::find(tx, &place)?.ok_or(Error::NotFound)?;
        let before = table::get_to_change(tx, &granted, &container, &place.object)?;
        if wanted.if_none && before.as_ref().is_some_and(|before| !before.is_due()) {
            return Err(Error::Precondition("There is an object of this name.".to_owned()));
        }
        if let Some(before) = &before {
            history::keep(tx, &container, before)?;
        }
        let (data, size, shown_size, etag) = match &*shared {
            Content::Taken(taken) => {
                data::table::keep(tx, taken)?;
                (&taken.data.id, taken.data.size, taken.data.size, &taken.md5)
            }
            Content::Same { data, size, shown_size, etag } => {
                // It may have gone since it was looked at.
                data::table::hold(tx, data).map_err(|error| match error {
                    Error::Store(store::Error::Conflict) => Error::NotFound,
                    other => other,
                })?;
                (data, *size, *shown_size, etag)
            }
            Content::Manifest { list, shown_size, etag } => {
                data::table::keep(tx, list)?;
                (&list.data.id, list.data.size, *shown_size, etag)
            }
        };
        let Wanted { stamp, content_type, words, kind, delete_at, .. } = wanted.clone();
        let (name, etag) = (place.object.clone(), etag.clone());
        let object = Object {
            name,
            data: data.clone(),
            size,
            shown_size,
            etag: etag.clone(),
            kind,
            content_type,
            words,
            stamp,
            delete_at,
        };
        if table::put(tx, &granted, &container, before.as_ref(), &object)? {
            Ok(Put { etag, stamp, is_there: true })
        } else {
            // Nothing is changed, and the data, which is nobody's, goes with the one who took it.
            Err(Error::Superseded)
        }
    });
    let (etag, written) = (content.etag().to_owned(), write.await);
    match written {
        Ok(put) => {
            work::crash::point("object.put.committed");
            content.is_kept();
            Ok(put)
        }
        Err(Error::Superseded) => Ok(Put { etag, stamp, is_there: false }),
        Err(error) => Err(error),
    }
}

impl Content {
    fn etag(&self) -> &str {
        match self {
            Self::Taken(taken) => &taken.md5,
            Self::Same { etag, .. } | Self::Manifest { etag, .. } => etag,
        }
    }

    fn is_kept(&self) {
        match self {
            Self::Taken(taken) | Self::Manifest { list: taken, .. } => taken.is_kept(),
            Self::Same { .. } => {}
        }
    }
}
