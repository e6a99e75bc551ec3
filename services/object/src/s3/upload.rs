// SPDX-License-Identifier: Apache-2.0
//! Objects that come in parts.
//!
//! Invariant: of an upload nothing is lost and nothing left, wherever it breaks off (test:
//! `parts_become_one_object_or_go_with_their_upload`).

use contracts::{
    data::Incoming,
    objects::{At, PartFacts, Refused, Said, Stored, UploadFacts, Who as Caller},
};
use store::Tx;
use types::Timestamp;

use super::{Buckets, object::words, refused::refused};
use crate::{
    Error,
    container::{Container, table as containers},
    data,
    grant::{Granted, Who, Writing},
    history,
    multipart::{self, Unfit, Upload, table},
    object::{self, Kind, Object, admit},
    place::Place,
};

type Found = (Granted<Writing>, Container, Upload);

/// The upload, for one who may write its object.
fn find(tx: &mut Tx, who: &Who, place: &Place, id: &str) -> Result<Found, Error> {
    let container = containers::find(tx, place)?;
    let granted = who.writing(place, container.as_ref())?;
    let container = container.ok_or(Error::NotFound)?;
    let upload = table::find(tx, &granted, &container, &place.object, id)?.ok_or(Error::NotFound)?;
    Ok((granted, container, upload))
}

impl Buckets {
    pub(super) async fn begin(&self, caller: &Caller, at: &At, said: Said) -> Result<String, Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let (content_type, words) = words(&said, &at.key).map_err(refused)?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let upload = Upload { id: id.clone(), name: at.key.clone(), content_type, words, begun_at: Timestamp::now() };
        let who = self.who(caller);
        let write = self.room.store.write(move |tx| {
            let container = containers::find(tx, &place)?;
            let granted = who.writing(&place, container.as_ref())?;
            table::begin(tx, &granted, &container.ok_or(Error::NotFound)?, &upload)
        });
        match write.await {
            Ok(()) => Ok(id),
            Err(error) => Err(self.missing(caller, &at.bucket, error, Refused::NoBucket).await),
        }
    }

    pub(super) async fn part(
        &self,
        caller: &Caller,
        at: &At,
        upload: &str,
        number: u32,
        length: Option<u64>,
        bytes: Incoming<'_>,
    ) -> Result<Stored, Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let (who, id) = (self.who(caller), upload.to_owned());
        // Whether it is there is known before its bytes are read.
        let (asking, there, looked) = (who.clone(), place.clone(), id.clone());
        let found = self.room.store.read(move |tx| find(tx, &asking, &there, &looked)).await;
        if let Err(error) = found {
            return Err(self.missing(caller, &at.bucket, error, Refused::NoUpload).await);
        }
        let admitted = admit(&self.room, &who, &place, false).await.map_err(refused)?;
        let project = admitted.granted.project().as_str().to_owned();
        let taken = data::take_in_pieces(&self.room, &project, length, admitted.room, bytes).await.map_err(refused)?;
        let (taken, put_at) = (std::sync::Arc::new(taken), Timestamp::now());
        let kept = taken.clone();
        let write = self.room.store.write(move |tx| {
            let (_, container, upload) = find(tx, &who, &place, &id)?;
            table::put_part(tx, &container, &upload, number, &kept, put_at)
        });
        if let Err(error) = write.await {
            return Err(self.missing(caller, &at.bucket, error, Refused::NoUpload).await);
        }
        work::crash::point("object.upload.part");
        taken.is_kept();
        Ok(Stored { etag: taken.md5.clone(), changed_at: put_at })
    }

    pub(super) async fn list_parts(
        &self,
        caller: &Caller,
        at: &At,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<Vec<PartFacts>, Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let (who, id) = (self.who(caller), upload.to_owned());
        let read = self.room.store.list(move |tx| {
            let (_, _, upload) = find(tx, &who, &place, &id)?;
            table::parts(tx, &upload, after, limit)
        });
        let told =
            |part: multipart::Part| PartFacts { number: part.number, size: part.size, etag: part.md5, put_at: part.put_at };
        match read.await {
            Ok(parts) => Ok(parts.into_iter().map(told).collect()),
            Err(error) => Err(self.missing(caller, &at.bucket, error, Refused::NoUpload).await),
        }
    }

    pub(super) async fn list_uploads(
        &self,
        caller: &Caller,
        bucket: &str,
        prefix: &str,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<UploadFacts>, Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let (who, prefix) = (self.who(caller), prefix.to_owned());
        let read = self.room.store.list(move |tx| {
            let container = containers::find(tx, &place)?;
            let granted = who.writing(&place, container.as_ref())?;
            table::list(tx, &granted, &container.ok_or(Error::NotFound)?, &prefix, after.as_ref(), limit)
        });
        let told = |upload: Upload| UploadFacts { id: upload.id, key: upload.name, begun_at: upload.begun_at };
        match read.await {
            Ok(uploads) => Ok(uploads.into_iter().map(told).collect()),
            Err(error) => Err(self.missing(caller, bucket, error, Refused::NoBucket).await),
        }
    }

    pub(super) async fn complete(
        &self,
        caller: &Caller,
        at: &At,
        upload: &str,
        named: Vec<(u32, String)>,
        if_none: bool,
    ) -> Result<Stored, Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let (who, id, stamp) = (self.who(caller), upload.to_owned(), Timestamp::now());
        let joined = uuid::Uuid::new_v4().simple().to_string();
        let write = self.room.store.write(move |tx| {
            let (granted, container, upload) = find(tx, &who, &place, &id)?;
            let there = object::table::get_to_change(tx, &granted, &container, &place.object)?;
            if if_none && there.as_ref().is_some_and(|there| !there.is_due()) {
                return Err(Error::Precondition("There is an object of this name.".to_owned()));
            }
            let parts = table::parts(tx, &upload, 0, 10_000)?;
            let chosen = match multipart::choose(&parts, &named) {
                Ok(chosen) => chosen,
                Err(unfit) => return Ok(Err(unfit)),
            };
            let etag = multipart::etag(&chosen);
            let size = table::join(tx, &container, &upload, &chosen, &joined)?;
            let object = Object {
                name: place.object.clone(),
                data: joined.clone(),
                size,
                shown_size: size,
                etag: etag.clone(),
                kind: Kind::Plain,
                content_type: upload.content_type,
                words: upload.words,
                stamp,
                delete_at: None,
            };
            // The parts have counted for the container until now.
            let container = containers::by_id(tx, &container.id)?.ok_or(Error::NotFound)?;
            if let Some(there) = there.as_ref().filter(|there| there.stamp <= stamp) {
                history::keep(tx, &container, there)?;
            }
            if !object::table::put(tx, &granted, &container, there.as_ref(), &object)? {
                data::table::let_go(tx, &joined)?;
            }
            Ok(Ok(etag))
        });
        match write.await {
            Ok(Ok(etag)) => {
                work::crash::point("object.upload.completed");
                Ok(Stored { etag, changed_at: stamp })
            }
            Ok(Err(Unfit::Bad)) => Err(Refused::BadPart),
            Ok(Err(Unfit::Order)) => Err(Refused::BadOrder),
            Ok(Err(Unfit::Small)) => Err(Refused::SmallPart),
            Err(error) => Err(self.missing(caller, &at.bucket, error, Refused::NoUpload).await),
        }
    }

    pub(super) async fn abort(&self, caller: &Caller, at: &At, upload: &str) -> Result<(), Refused> {
        let place = Self::place(caller, &at.bucket, &at.key).map_err(refused)?;
        let (who, id) = (self.who(caller), upload.to_owned());
        let write = self.room.store.write(move |tx| {
            let (_, container, upload) = find(tx, &who, &place, &id)?;
            table::abort(tx, &container, &upload)
        });
        match write.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.missing(caller, &at.bucket, error, Refused::NoUpload).await),
        }
    }
}
