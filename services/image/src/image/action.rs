// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/actions/…`: out of use, and in use again.

use std::sync::Arc;

use api::{Cx, Reply, Routes, no_content};

use super::{Row, Status, store};
use crate::{Error, Image, policy};

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    Routes::new(room).post("/v2/images/{id}/actions/deactivate", &policy::DEACTIVATE, deactivate).post(
        "/v2/images/{id}/actions/reactivate",
        &policy::REACTIVATE,
        reactivate,
    )
}

async fn deactivate(room: Arc<Image>, cx: Cx) -> Reply {
    turn(room, cx, Status::Deactivated).await
}

async fn reactivate(room: Arc<Image>, cx: Cx) -> Reply {
    turn(room, cx, Status::Active).await
}

async fn turn(room: Arc<Image>, cx: Cx, status: Status) -> Reply {
    let (id, allowed, actor) = (cx.param("id").to_owned(), cx.allowed()?.clone(), cx.actor());
    let write = room.store.write(move |tx| {
        let before = store::get_own(tx, &allowed, &id)?;
        match before.status {
            // Asked twice, it is as it shall be.
            same if same == status => return Ok(()),
            Status::Active | Status::Deactivated => {}
            other => {
                let (from, to) = (other.as_str(), status.as_str());
                return Err(Error::Forbidden(format!("Not allowed to turn an image that is {from} into one that is {to}.")));
            }
        }
        store::update(tx, &actor, &before, &Row { status, ..before.clone() }).map(drop)
    });
    write.await?;
    no_content()
}
