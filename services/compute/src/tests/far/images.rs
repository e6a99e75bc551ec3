// SPDX-License-Identifier: Apache-2.0
//! The image room, as compute sees it.

use std::{collections::BTreeMap, path::PathBuf};

use contracts::{
    BoxFuture, Refusal,
    images::{Chunks, ImageFacts, Images, NewSnapshot},
};
use futures_util::StreamExt;
use types::{ImageId, ProjectId};

use super::{super::IMAGE, Far};

impl Images for Far {
    fn get<'a>(&'a self, _seen_by: Option<&'a ProjectId>, id: &'a ImageId) -> BoxFuture<'a, Result<ImageFacts, Refusal>> {
        let taken = self.kept.lock().unwrap().images.get(id.as_str()).map(|(_, is_whole)| *is_whole);
        let facts = ImageFacts {
            id: id.clone(),
            name: "small".to_owned(),
            status: if id.as_str().starts_with("99") || taken == Some(false) { "queued" } else { "active" }.to_owned(),
            disk_format: if id.as_str().starts_with("88") { "iso" } else { "qcow2" }.to_owned(),
            container_format: if id.as_str().starts_with("77") { "ova" } else { "bare" }.to_owned(),
            size: 1 << 20,
            virtual_size: 112 << 20,
            min_disk: 0,
            min_ram: 64,
            sha512: "ab".repeat(64),
            properties: BTreeMap::from([
                ("os_distro".to_owned(), "debian".to_owned()),
                ("img_signature".to_owned(), "x".to_owned()),
            ]),
        };
        let known =
            id.as_str() == IMAGE || taken.is_some() || ["99", "88", "77"].iter().any(|first| id.as_str().starts_with(first));
        Box::pin(async move { if known { Ok(facts) } else { Err(Refusal::not_found("No such image.")) } })
    }

    fn file<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        Box::pin(async move { Ok(PathBuf::from(format!("/images/{id}"))) })
    }

    fn ensure_snapshot<'a>(&'a self, snapshot: &'a NewSnapshot) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuse_images.lock().unwrap().pop() {
                return Err(refusal);
            }
            self.change(|kept| {
                kept.images.entry(snapshot.id.to_string()).or_insert_with(|| (snapshot.clone(), false));
            });
            Ok(())
        })
    }

    fn receive_snapshot<'a>(&'a self, id: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let data: Vec<_> = chunks.map(|chunk| chunk.unwrap()).collect().await;
            assert_eq!(data.concat(), b"a whole disk");
            let image = self.change(|kept| kept.images.get_mut(id.as_str()).map(|(_, is_whole)| *is_whole = true));
            image.ok_or_else(|| Refusal::not_found("No such image."))
        })
    }

    fn release_snapshot<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| kept.images.retain(|image, (_, is_whole)| image != id.as_str() || *is_whole));
            Ok(())
        })
    }
}
