// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/actions/…`: out of use, and in use again.

use std::sync::Arc;

use access::Policy;
use api::{Access, Cx, Reply, Routes, no_content};

use super::{Reach, Row, Status, table};
use crate::{Error, Image, image::policy};

pub fn routes() -> Routes<Image> {
    Routes::new().post("/v2/images/{id}/actions/deactivate", Access::Asks(&policy::DEACTIVATE), deactivate).post(
        "/v2/images/{id}/actions/reactivate",
        Access::Asks(&policy::REACTIVATE),
        reactivate,
    )
}

async fn deactivate(room: Arc<Image>, cx: Cx) -> Reply {
    turn(room, cx, &policy::DEACTIVATE, Status::Deactivated).await
}

async fn reactivate(room: Arc<Image>, cx: Cx) -> Reply {
    turn(room, cx, &policy::REACTIVATE, Status::Active).await
}

async fn turn(room: Arc<Image>, cx: Cx, policy: &'static Policy, status: Status) -> Reply {
    let (id, reach, actor) = (cx.param("id").to_owned(), Reach::of(&cx, policy)?, cx.actor());
    let write = room.store.write(move |tx| {
        let before = table::get_own(tx, &reach, &id)?;
        match before.status {
            // Asked twice, it is as it shall be.
            same if same == status => return Ok(()),
            Status::Active | Status::Deactivated => {}
            other => {
                let (from, to) = (other.as_str(), status.as_str());
                return Err(Error::Forbidden(format!("Not allowed to turn an image that is {from} into one that is {to}.")));
            }
        }
        table::update(tx, &actor, &before, &Row { status, ..before.clone() }).map(drop)
    });
    write.await?;
    no_content()
}
