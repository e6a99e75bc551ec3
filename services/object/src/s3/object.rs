// SPDX-License-Identifier: Apache-2.0
//! Objects.

use contracts::{
    data::Incoming,
    objects::{At, NewObject, ObjectFacts, Opened, Refused, Said, Stored, Who as Caller},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use types::Timestamp;

use super::{Buckets, refused::refused};
use crate::{
    Error, data,
    object::{self, Content, Found, Kind, Put, Wanted, Words, admit, commit, facts, find},
};

impl Buckets {
    pub(super) async fn open_object(&self, caller: &Caller, at: &At) -> Result<Opened, Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let found = match find(&self.room, &self.who(caller), &place, false).await {
            Ok(found) => found,
            Err(error) => return Err(self.missing(caller, &at.bucket, error, Refused::NoObject).await),
        };
        let (room, facts) = (self.room.clone(), told(&found));
        Ok(Opened { facts, read: Box::new(move |range| found.content.read(&room, range)) })
    }

    pub(super) async fn put_object(
        &self,
        caller: &Caller,
        at: &At,
        new: NewObject,
        bytes: Incoming<'_>,
    ) -> Result<Stored, Refused> {
        let stamp = Timestamp::now();
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let admitted = match admit(&self.room, &self.who(caller), &place, new.if_none).await {
            Ok(admitted) => admitted,
            Err(error) => return Err(self.missing(caller, &at.bucket, error, Refused::NoObject).await),
        };
        let (content_type, words) = words(&new.said, &at.key).map_err(refused)?;
        let project = admitted.granted.project().as_str().to_owned();
        let taken = data::take(&self.room, &project, new.length, admitted.room, bytes).await.map_err(refused)?;
        let wanted = Wanted { stamp, content_type, words, kind: Kind::Plain, delete_at: None, if_none: new.if_none };
        let put = commit(&self.room, admitted.granted, &place, wanted, Content::Taken(taken)).await.map_err(refused)?;
        Ok(stored(put))
    }

    pub(super) async fn copy_object(&self, caller: &Caller, from: &At, to: &At, said: Option<Said>) -> Result<Stored, Refused> {
        let stamp = Timestamp::now();
        let who = self.who(caller);
        let place = Self::place(caller, &from.bucket, &from.key).map_err(refused)?;
        let source = match find(&self.room, &who, &place, false).await {
            Ok(source) => source,
            Err(error) => return Err(self.missing(caller, &from.bucket, error, Refused::NoObject).await),
        };
        let place = Self::place(caller, &to.bucket, &to.key).map_err(refused)?;
        let admitted = match admit(&self.room, &who, &place, false).await {
            Ok(admitted) => admitted,
            Err(error) => return Err(self.missing(caller, &to.bucket, error, Refused::NoObject).await),
        };
        let object = &source.object;
        let (content_type, words) = match said {
            Some(said) => words(&said, &to.key).map_err(refused)?,
            None => {
                let mut words = object.words.clone();
                // What it consisted of is read, and the copy is one piece.
                words.headers.remove("x-object-manifest");
                (object.content_type.clone(), words)
            }
        };
        let content = match &source.content {
            object::Readable::Itself(_) => {
                Content::Same { data: object.data.clone(), size: object.size, shown_size: object.size, etag: object.etag.clone() }
            }
            object::Readable::Parts(parts) => {
                let (project, size) = (admitted.granted.project().as_str().to_owned(), parts.size());
                let taken = data::take(&self.room, &project, Some(size), admitted.room, parts.read(&self.room, 0..size)).await;
                Content::Taken(taken.map_err(refused)?)
            }
        };
        let wanted = Wanted { stamp, content_type, words, kind: Kind::Plain, delete_at: None, if_none: false };
        Ok(stored(commit(&self.room, admitted.granted, &place, wanted, content).await.map_err(refused)?))
    }

    pub(super) async fn remove_object(&self, caller: &Caller, at: &At) -> Result<(), Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        match object::delete(&self.room, &self.who(caller), &place, Timestamp::now()).await {
            Ok(()) | Err(Error::Superseded) => Ok(()),
            Err(error) => match self.missing(caller, &at.bucket, error, Refused::NoObject).await {
                Refused::NoObject => Ok(()),
                refused => Err(refused),
            },
        }
    }
}

fn stored(put: Put) -> Stored {
    Stored { etag: put.etag, changed_at: put.stamp }
}

fn told(found: &Found) -> ObjectFacts {
    let object = &found.object;
    let pairs =
        |metadata: &crate::metadata::Metadata| metadata.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ObjectFacts {
        size: object.shown_size,
        etag: object.etag.clone(),
        changed_at: object.stamp,
        said: Said {
            content_type: Some(object.content_type.clone()),
            headers: pairs(&object.words.headers),
            metadata: pairs(&object.words.metadata),
        },
    }
}

/// What is said of an object, as Swift's API would have been told: so the same is refused.
pub(super) fn words(said: &Said, key: &str) -> Result<(String, Words), Error> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| -> Result<(), Error> {
        let bad = || Error::Invalid(format!("The header {name} cannot be kept."));
        let (name, value) =
            (HeaderName::try_from(name).map_err(|_| bad())?, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?);
        headers.insert(name, value);
        Ok(())
    };
    for (name, value) in said.content_type.iter().map(|kind| ("content-type", kind)) {
        set(name, value)?;
    }
    for (name, value) in &said.headers {
        set(name, value)?;
    }
    for (name, value) in &said.metadata {
        set(&format!("x-object-meta-{name}"), value)?;
    }
    Ok((facts::content_type(&headers, key)?, facts::words(&headers)?))
}
