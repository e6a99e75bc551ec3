// SPDX-License-Identifier: Apache-2.0
//! What the S3 door asks (`contracts::objects`), answered by what Swift's API is answered by. A bucket is a container of the
//! caller's project; who may what is asked of the same policies and the same ACLs.

mod bucket;
mod object;
mod refused;
mod upload;

use access::{Asker, InForce};
use contracts::{
    BoxFuture,
    data::Incoming,
    objects::{
        At, BucketFacts, Entry, NewObject, Opened, Origin, Page, PartFacts, Refused, Said, Stored, UploadFacts, Who as Caller,
    },
};
use store::Actor;

use crate::{Error, Objects, container::table as containers, grant::Who, place::Place};

/// The room, for the S3 door.
#[derive(Clone)]
pub struct Buckets {
    room: Objects,
    policies: InForce,
}

impl Objects {
    pub fn buckets(&self, policies: InForce) -> Buckets {
        Buckets { room: self.clone(), policies }
    }
}

impl Buckets {
    fn who(&self, caller: &Caller) -> Who {
        Who::asking(Asker::new(caller.clone(), self.policies.now()))
    }

    fn place(caller: &Caller, bucket: &str, key: &str) -> Result<Place, Error> {
        let project = caller.project_id().ok_or(Error::Forbidden)?;
        Place::read(&format!("AUTH_{project}"))?.in_container(bucket, key)
    }

    /// What is not there: the bucket, or what was asked for in it.
    async fn missing(&self, caller: &Caller, bucket: &str, error: Error, what: Refused) -> Refused {
        let Error::NotFound = error else { return refused::refused(error) };
        let place = match Self::place(caller, bucket, "") {
            Ok(place) => place,
            Err(error) => return refused::refused(error),
        };
        match self.room.store.read(move |tx| containers::find(tx, &place)).await {
            Ok(Some(_)) => what,
            Ok(None) => Refused::NoBucket,
            Err(error) => refused::refused(error),
        }
    }
}

fn actor(caller: &Caller) -> Actor {
    Actor {
        user_id: Some(caller.user.id.to_string()),
        project_id: caller.project_id().map(ToString::to_string),
        ..Actor::system(caller.user.name.clone())
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Refused>>;

impl contracts::objects::Objects for Buckets {
    fn buckets<'a>(&'a self, who: &'a Caller) -> Answer<'a, Vec<BucketFacts>> {
        Box::pin(self.list_buckets(who))
    }

    fn create_bucket<'a>(&'a self, who: &'a Caller, bucket: &'a str) -> Answer<'a, bool> {
        Box::pin(self.make_bucket(who, bucket))
    }

    fn bucket<'a>(&'a self, who: &'a Caller, bucket: &'a str) -> Answer<'a, BucketFacts> {
        Box::pin(self.look_at_bucket(who, bucket))
    }

    fn origin<'a>(&'a self, who: &'a Caller, bucket: &'a str, origin: &'a str) -> Answer<'a, Option<Origin>> {
        Box::pin(self.origin_of(who, bucket, origin))
    }

    fn is_public<'a>(&'a self, who: &'a Caller, bucket: &'a str) -> Answer<'a, bool> {
        Box::pin(self.is_bucket_public(who, bucket))
    }

    fn delete_bucket<'a>(&'a self, who: &'a Caller, bucket: &'a str) -> Answer<'a, ()> {
        Box::pin(self.remove_bucket(who, bucket))
    }

    fn list<'a>(&'a self, who: &'a Caller, bucket: &'a str, page: Page) -> Answer<'a, Vec<Entry>> {
        Box::pin(self.list_objects(who, bucket, page))
    }

    fn open<'a>(&'a self, who: &'a Caller, at: &'a At) -> Answer<'a, Opened> {
        Box::pin(self.open_object(who, at))
    }

    fn put<'a>(&'a self, who: &'a Caller, at: &'a At, new: NewObject, bytes: Incoming<'a>) -> Answer<'a, Stored> {
        Box::pin(self.put_object(who, at, new, bytes))
    }

    fn copy<'a>(&'a self, who: &'a Caller, from: &'a At, to: &'a At, said: Option<Said>) -> Answer<'a, Stored> {
        Box::pin(self.copy_object(who, from, to, said))
    }

    fn delete<'a>(&'a self, who: &'a Caller, at: &'a At) -> Answer<'a, ()> {
        Box::pin(self.remove_object(who, at))
    }

    fn begin_upload<'a>(&'a self, who: &'a Caller, at: &'a At, said: Said) -> Answer<'a, String> {
        Box::pin(self.begin(who, at, said))
    }

    fn put_part<'a>(
        &'a self,
        who: &'a Caller,
        at: &'a At,
        upload: &'a str,
        number: u32,
        length: Option<u64>,
        bytes: Incoming<'a>,
    ) -> Answer<'a, Stored> {
        Box::pin(self.part(who, at, upload, number, length, bytes))
    }

    fn parts<'a>(&'a self, who: &'a Caller, at: &'a At, upload: &'a str, after: u32, limit: usize) -> Answer<'a, Vec<PartFacts>> {
        Box::pin(self.list_parts(who, at, upload, after, limit))
    }

    fn uploads<'a>(
        &'a self,
        who: &'a Caller,
        bucket: &'a str,
        prefix: &'a str,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Answer<'a, Vec<UploadFacts>> {
        Box::pin(self.list_uploads(who, bucket, prefix, after, limit))
    }

    fn complete_upload<'a>(
        &'a self,
        who: &'a Caller,
        at: &'a At,
        upload: &'a str,
        parts: Vec<(u32, String)>,
        if_none: bool,
    ) -> Answer<'a, Stored> {
        Box::pin(self.complete(who, at, upload, parts, if_none))
    }

    fn abort_upload<'a>(&'a self, who: &'a Caller, at: &'a At, upload: &'a str) -> Answer<'a, ()> {
        Box::pin(self.abort(who, at, upload))
    }
}
