// SPDX-License-Identifier: Apache-2.0
//! Buckets, and what is in them.

use contracts::objects::{BucketFacts, Entry, Origin, Page, Refused, Who as Caller};
use types::Timestamp;

use super::{Buckets, actor, refused::refused};
use crate::{
    Error,
    container::{Container, remove, table as containers},
    cors,
    grant::Who,
    listing::{self, Asked, Format},
    object,
};

impl Buckets {
    pub(super) async fn list_buckets(&self, caller: &Caller) -> Result<Vec<BucketFacts>, Refused> {
        let place = Self::place(caller, "", "").map_err(refused)?;
        let granted = self.who(caller).listing_account(&place).map_err(refused)?;
        let found = self.room.store.list(move |tx| containers::of_account(tx, &granted)).await.map_err(refused)?;
        Ok(found.into_iter().map(facts).collect())
    }

    pub(super) async fn make_bucket(&self, caller: &Caller, bucket: &str) -> Result<bool, Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let (granted, actor) = (self.who(caller).owning(&place).map_err(refused)?, actor(caller));
        let write = self.room.store.write(move |tx| {
            if containers::find(tx, &place)?.is_some() {
                return Ok(false);
            }
            containers::put(tx, &granted, &actor, |_| Ok(()))
        });
        let made = write.await.map_err(|error: Error| refused(error))?;
        work::crash::point("object.container.made");
        Ok(made)
    }

    pub(super) async fn look_at_bucket(&self, caller: &Caller, bucket: &str) -> Result<BucketFacts, Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let who = self.who(caller);
        let read = self.room.store.read(move |tx| {
            let container = containers::find(tx, &place)?;
            who.listing(&place, container.as_ref())?;
            Ok::<_, Error>(container)
        });
        read.await.map_err(refused)?.map(facts).ok_or(Refused::NoBucket)
    }

    pub(super) async fn origin_of(&self, caller: &Caller, bucket: &str, origin: &str) -> Result<Option<Origin>, Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let found = self.room.store.read(move |tx| containers::find(tx, &place)).await.map_err(|error: Error| refused(error))?;
        let Some(container) = found else { return Ok(None) };
        let said = |name: &str| container.metadata.get(name).map(str::to_owned);
        let allowed = cors::origin_for(&container, origin).map(str::to_owned);
        let (exposed, max_age) = (said("access-control-expose-headers"), said("access-control-max-age"));
        Ok(allowed.map(|allowed| Origin { allowed, exposed, max_age }))
    }

    pub(super) async fn is_bucket_public(&self, caller: &Caller, bucket: &str) -> Result<bool, Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let who = self.who(caller);
        let read = self.room.store.read(move |tx| {
            let container = containers::find(tx, &place)?;
            who.listing(&place, container.as_ref())?;
            let container = container.ok_or(Error::NotFound)?;
            Ok(Who::nobody().reading(&place, Some(&container)).is_ok())
        });
        read.await.map_err(|error| match error {
            Error::NotFound => Refused::NoBucket,
            error => refused(error),
        })
    }

    pub(super) async fn remove_bucket(&self, caller: &Caller, bucket: &str) -> Result<(), Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let (granted, actor) = (self.who(caller).owning(&place).map_err(refused)?, actor(caller));
        let gone = self.room.store.write(move |tx| remove::delete(tx, &granted, &actor)).await;
        gone.map_err(|error| match error {
            Error::NotFound => Refused::NoBucket,
            Error::Conflict(_) => Refused::NotEmpty,
            error => refused(error),
        })
    }

    pub(super) async fn list_objects(&self, caller: &Caller, bucket: &str, page: Page) -> Result<Vec<Entry>, Refused> {
        let place = Self::place(caller, bucket, "").map_err(refused)?;
        let who = self.who(caller);
        let Page { prefix, delimiter, after, limit } = page;
        let delimiter = delimiter.filter(|text| !text.is_empty());
        let asked =
            Asked { prefix, delimiter, marker: after, end_marker: None, reverse: false, limit, path: None, format: Format::Json };
        let list = self.room.store.list(move |tx| {
            let container = containers::find(tx, &place)?;
            let granted = who.listing(&place, container.as_ref())?;
            let container = container.ok_or(Error::NotFound)?;
            listing::page(&asked, |span| object::table::list(tx, &granted, &container, span))
        });
        let entries = list.await.map_err(|error| match error {
            Error::NotFound => Refused::NoBucket,
            error => refused(error),
        })?;
        Ok(entries.into_iter().map(entry).collect())
    }
}

fn facts(container: Container) -> BucketFacts {
    BucketFacts { name: container.name, created_at: container.created_at }
}

fn entry(entry: listing::Entry<object::Shown>) -> Entry {
    match entry {
        listing::Entry::Subdir(name) => Entry::Folder(name),
        listing::Entry::One(shown) => Entry::Object {
            key: shown.name,
            size: shown.bytes,
            etag: shown.hash,
            changed_at: Timestamp::parse(&shown.last_modified).unwrap_or(Timestamp(0)),
        },
    }
}
