// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/members`

use std::sync::Arc;

use ::store::Tx;
use api::{Access, Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Status, table, view};
use crate::{
    Error, Image,
    image::{self, Reach, Visibility, check_text},
    member::policy,
};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/images/{id}/members", Access::Asks(&policy::MEMBERS), list)
        .post("/v2/images/{id}/members", Access::Asks(&policy::ADD), create)
        .get("/v2/images/{id}/members/{member}", Access::Asks(&policy::SHOW), show)
        .put("/v2/images/{id}/members/{member}", Access::Asks(&policy::MODIFY), update)
        .delete("/v2/images/{id}/members/{member}", Access::Asks(&policy::DELETE), delete)
        .each_asking(&[&crate::image::policy::SHOW])
}

#[derive(Deserialize)]
struct New {
    member: String,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
}

async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::MEMBERS)?);
    let read = room.store.list(move |tx| {
        let image = image::table::get(tx, &reach, &id)?;
        let is_owner = reach.admits(&image);
        if image.visibility != Visibility::Shared {
            if is_owner {
                return Ok(Vec::new());
            }
            return Err(Error::NotFound(id.clone()));
        }
        let mut members = table::list(tx, &image.id)?;
        // A member does not learn who else has the image.
        if !is_owner {
            let own = reach.allowed()?.scope().project().map(|project| project.as_str().to_owned());
            members.retain(|member| Some(&member.member) == own.as_ref());
        }
        Ok::<_, Error>(members)
    });
    let members: Vec<_> = read.await?.iter().map(view).collect();
    json(StatusCode::OK, &json!({"members": members, "schema": "/v2/schemas/members"}))
}

async fn show(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, member) = (cx.param("id").to_owned(), cx.param("member").to_owned());
    let reach = Reach::of(&cx, &policy::SHOW)?;
    let read = room.store.read(move |tx| Ok::<_, Error>(find(tx, &reach, &id, &member)?.1));
    json(StatusCode::OK, &view(&read.await?))
}

async fn create(room: Arc<Image>, mut cx: Cx) -> Reply {
    let New { member } = cx.json().await?;
    if member.is_empty() {
        return Err(Fault::bad_request("Member can't be empty"));
    }
    check_text("the member", &member)?;
    let reach = Reach::of(&cx, &policy::ADD)?;
    let (id, actor, most) = (cx.param("id").to_owned(), cx.actor(), room.settings.limits.members);
    let write = room.store.write(move |tx| {
        let image = image::table::get_own(tx, &reach, &id)?;
        if image.visibility != Visibility::Shared {
            return Err(Error::Forbidden("Only shared images have members.".into()));
        }
        if table::find(tx, &image.id, &member)?.is_some() {
            return Err(Error::Conflict(format!("The image {id} is shared with {member} already.")));
        }
        if table::list(tx, &image.id)?.len() >= most {
            return Err(Error::OverLimit(format!("The limit has been exceeded: an image has at most {most} members.")));
        }
        table::insert(tx, &actor, &image, &member)
    });
    json(StatusCode::OK, &view(&write.await?))
}

async fn update(room: Arc<Image>, mut cx: Cx) -> Reply {
    let Answer { status } = cx.json().await?;
    let status = Status::parse(&status)
        .ok_or_else(|| Fault::bad_request(format!("'{status}' is not one of pending, accepted, rejected.")))?;
    let (id, member, actor) = (cx.param("id").to_owned(), cx.param("member").to_owned(), cx.actor());
    let reach = Reach::of(&cx, &policy::MODIFY)?;
    let write = room.store.write(move |tx| {
        let (image, before) = find(tx, &reach, &id, &member)?;
        let scope = reach.allowed()?.scope();
        let is_member = scope.project().is_some_and(|project| project.as_str() == member);
        if !scope.is_all() && !is_member {
            return Err(Error::Forbidden("Only the project that an image is shared with accepts or rejects it.".into()));
        }
        table::set_status(tx, &actor, &image, &before, status)
    });
    json(StatusCode::OK, &view(&write.await?))
}

async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, member, actor) = (cx.param("id").to_owned(), cx.param("member").to_owned(), cx.actor());
    let reach = Reach::of(&cx, &policy::DELETE)?;
    let write = room.store.write(move |tx| {
        let image = image::table::get_own(tx, &reach, &id)?;
        let found = table::find(tx, &image.id, &member)?.ok_or_else(|| missing(&id, &member))?;
        table::delete(tx, &actor, &image, &found)
    });
    write.await?;
    no_content()
}

/// A member that the caller may see: of his own image, or himself.
fn find(tx: &mut Tx, reach: &Reach, id: &str, member: &str) -> Result<(image::Row, super::Row), Error> {
    let image = image::table::get(tx, reach, id)?;
    let is_member = reach.allowed()?.scope().project().is_some_and(|project| project.as_str() == member);
    if !is_member && !reach.admits(&image) {
        return Err(missing(id, member));
    }
    let found = table::find(tx, &image.id, member)?.ok_or_else(|| missing(id, member))?;
    Ok((image, found))
}

fn missing(id: &str, member: &str) -> Error {
    Error::NoSuch(format!("{member} is not in the member list of the image {id}."))
}
