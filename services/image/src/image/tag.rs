// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/tags/{tag}`

use std::{collections::BTreeSet, sync::Arc};

use api::{Access, Cx, Reply, Routes, no_content};

use super::{Reach, check_text, table};
use crate::{Error, Image, image::policy};

pub fn routes() -> Routes<Image> {
    Routes::new().put("/v2/images/{id}/tags/{tag}", Access::Asks(&policy::MODIFY), add).delete(
        "/v2/images/{id}/tags/{tag}",
        Access::Asks(&policy::MODIFY),
        remove,
    )
}

async fn add(room: Arc<Image>, cx: Cx) -> Reply {
    let tag = cx.param("tag").to_owned();
    check_text("a tag", &tag)?;
    let most = room.settings.limits.tags;
    change(room, &cx, move |tags| {
        tags.insert(tag.clone());
        if tags.len() <= most {
            return Ok(());
        }
        Err(Error::OverLimit(format!("The limit has been exceeded: an image has at most {most} tags.")))
    })
    .await
}

async fn remove(room: Arc<Image>, cx: Cx) -> Reply {
    let tag = cx.param("tag").to_owned();
    change(
        room,
        &cx,
        move |tags| if tags.remove(&tag) { Ok(()) } else { Err(Error::NoSuch(format!("There is no tag '{tag}'."))) },
    )
    .await
}

async fn change(
    room: Arc<Image>,
    cx: &Cx,
    change: impl Fn(&mut BTreeSet<String>) -> Result<(), Error> + Send + Sync + 'static,
) -> Reply {
    let (id, reach, actor) = (cx.param("id").to_owned(), Reach::of(cx, &policy::MODIFY)?, cx.actor());
    let write = room.store.write(move |tx| {
        let before = table::get_own(tx, &reach, &id)?;
        let mut after = before.clone();
        change(&mut after.tags)?;
        table::update(tx, &actor, &before, &after)
    });
    write.await?;
    no_content()
}
