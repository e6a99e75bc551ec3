// SPDX-License-Identifier: Apache-2.0
//! `/servers/{id}/tags`: short words by which a user finds his servers again.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{action, guard::Guard, operation::admission::Act};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, Read, body, text, wrong},
};

const MOST: usize = 50;

/// The tags of a request, each once.
pub(super) fn read_list(list: Option<Vec<Value>>) -> Read<Vec<String>> {
    let mut tags = Vec::new();
    for value in list.unwrap_or_default() {
        let tag = check(text("tags", value, 1..=60)?)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if tags.len() > MOST {
        return Err(wrong("tags", &json!(tags.len()), &format!("There are too many items: {MOST} may be.")));
    }
    Ok(tags)
}

/// The tag of a device, if it has one.
pub(super) fn of_device(device: &mut Object) -> Read<Option<String>> {
    device.take("tag").map(|tag| check(text("tag", tag, 1..=60)?)).transpose()
}

pub(super) async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let tags = read(&room, &cx).await?;
    api::json(StatusCode::OK, &json!({"tags": tags}))
}

pub(super) async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let tag = cx.param("tag").to_owned();
    if read(&room, &cx).await?.contains(&tag) { api::no_content() } else { Err(missing(cx.param("id"), &tag).into()) }
}

pub(super) async fn replace(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = body(&mut cx).await?;
    let list = ask.list("tags")?;
    let new = read_list(Some(ask.required("tags", list)?))?;
    ask.finish()?;
    let tags = change(&room, &cx, Act::UpdateTags, move |tags| {
        tags.clone_from(&new);
        Ok(())
    })
    .await?;
    api::json(StatusCode::OK, &json!({"tags": tags}))
}

pub(super) async fn clear(room: Arc<Compute>, cx: Cx) -> Reply {
    change(&room, &cx, Act::DeleteTag, |tags| {
        tags.clear();
        Ok(())
    })
    .await?;
    api::no_content()
}

pub(super) async fn add(room: Arc<Compute>, cx: Cx) -> Reply {
    let tag = check(text("tag", json!(cx.param("tag")), 1..=60)?)?;
    if read(&room, &cx).await?.contains(&tag) {
        return api::no_content();
    }
    let location = HeaderValue::from_str(&cx.own_url());
    change(&room, &cx, Act::UpdateTags, move |tags| {
        if !tags.contains(&tag) {
            tags.push(tag.clone());
        }
        if tags.len() > MOST {
            return Err(Error::invalid(format!("The number of tags exceeded the per-server limit {MOST}")));
        }
        Ok(())
    })
    .await?;
    let mut response = api::empty(StatusCode::CREATED);
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let (id, tag) = (cx.param("id").to_owned(), cx.param("tag").to_owned());
    change(&room, &cx, Act::DeleteTag, move |tags| match tags.iter().position(|known| *known == tag) {
        Some(place) => {
            tags.remove(place);
            Ok(())
        }
        None => Err(missing(&id, &tag)),
    })
    .await?;
    api::no_content()
}

/// A comma would part the lists of tags in filters, and a slash the path.
pub(super) fn check(tag: String) -> Read<String> {
    if tag.contains([',', '/']) { Err(wrong("tags", &json!(tag), "A tag holds neither ',' nor '/'.")) } else { Ok(tag) }
}

fn missing(id: &str, tag: &str) -> Error {
    Error::not_found(format!("Server {id} has no tag '{tag}'"))
}

async fn read(room: &Compute, cx: &Cx) -> Result<Vec<String>, Fault> {
    let guard = Guard::of(cx)?;
    Ok(room.store.read(move |tx| guard.find(tx)).await?.tags)
}

async fn change(
    room: &Compute,
    cx: &Cx,
    act: Act,
    edit: impl Fn(&mut Vec<String>) -> Result<()> + Send + Sync + 'static,
) -> Read<Vec<String>> {
    Ok(action::edit(room, cx, act, "server.update", move |_, server| edit(&mut server.tags)).await?.tags)
}
