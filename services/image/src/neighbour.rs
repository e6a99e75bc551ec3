// SPDX-License-Identifier: Apache-2.0
//! The room's door for compute and fleet, and its audit.

use std::path::PathBuf;

use access::{Allowed, Scope};
use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding, STRAY},
    images::{Chunks, ImageFacts, Images, NewSnapshot},
};
use types::{ImageId, ProjectId};

use crate::{
    Error, Image,
    data::{
        self,
        released::{self, Named, Where},
    },
    image::{Reach, Row, table},
    snapshot,
};

impl Images for Image {
    fn get<'a>(&'a self, seen_by: Option<&'a ProjectId>, id: &'a ImageId) -> BoxFuture<'a, Result<ImageFacts, Refusal>> {
        let (seen_by, id) = (seen_by.cloned(), id.clone());
        Box::pin(async move {
            let all = Allowed::<Scope>::for_work("image.door");
            let allowed = match &seen_by {
                None => all,
                Some(project) => all.in_project(project).ok_or_else(|| Refusal::internal("a scope that reaches no project"))?,
            };
            let reach = Reach::of_work(allowed);
            let image = self.store.read(move |tx| table::get(tx, &reach, id.as_str())).await?;
            facts(image)
        })
    }

    fn file<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        Box::pin(async move {
            let wanted = id.to_string();
            let image = self.store.read(move |tx| table::find(tx, &wanted)).await?;
            let near = match &image {
                Some(image) => self.near(image).await?,
                None => None,
            };
            near.ok_or_else(|| Refusal::not_found(format!("the data of image {id} is in no store")))
        })
    }

    fn ensure_snapshot<'a>(&'a self, snapshot: &'a NewSnapshot) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(snapshot::ensure(self, snapshot).await?) })
    }

    fn receive_snapshot<'a>(&'a self, id: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(snapshot::receive(self, id, chunks).await?) })
    }

    fn release_snapshot<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(snapshot::release(self, id).await?) })
    }
}

impl Audit for Image {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>> {
        Box::pin(async move {
            let finding = |kind: &str, id: String, place: String, detail: &str| Finding {
                room: "image".into(),
                kind: kind.into(),
                thing: "image data".into(),
                id,
                place,
                detail: detail.into(),
            };
            let mut findings = Vec::new();
            for Named { place, name } in data::strays(self).await? {
                findings.push(finding(STRAY, name, place.to_string(), "no image is known that has this data; it is kept"));
            }
            for held in self.store.list(table::held).await? {
                for id in &held.stores {
                    let is_there = match self.settings.store(id) {
                        Some(store) => store.place.has(&held.blob).await?,
                        None => false,
                    };
                    if !is_there {
                        let detail = format!("the image is active but its data is not in the store {id}");
                        findings.push(finding("missing", held.image.to_string(), id.clone(), &detail));
                    }
                }
            }
            Ok(findings)
        })
    }

    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let place = Where::parse(&stray.place).ok_or_else(|| Refusal::not_found("There is no such place for data."))?;
            let named = Named { place, name: stray.id.clone() };
            let noted = named.clone();
            let note = self.store.write(move |tx| {
                if released::is_wanted(tx, &noted)? {
                    return Err(Error::Conflict("An image has this data by now: delete the image instead.".into()));
                }
                released::insert(tx, &noted)
            });
            note.await?;
            Ok(released::remove(self, &named).await?)
        })
    }
}

fn facts(image: Row) -> Result<ImageFacts, Refusal> {
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    let data = image.data.as_ref();
    Ok(ImageFacts {
        id: image.id,
        name: image.name.unwrap_or_default(),
        status: image.status.as_str().to_owned(),
        disk_format: image.disk_format.unwrap_or_default(),
        container_format: image.container_format.unwrap_or_default(),
        size: data.map(|data| unsigned(data.size)).unwrap_or_default(),
        virtual_size: data.map(|data| unsigned(data.virtual_size)).unwrap_or_default(),
        min_disk: unsigned(image.min_disk),
        min_ram: unsigned(image.min_ram),
        sha512: data.map(|data| data.sha512.clone()).unwrap_or_default(),
        properties: image.properties.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
    })
}
