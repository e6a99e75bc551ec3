// SPDX-License-Identifier: Apache-2.0
//! `PUT /servers/{id}`: the name and what else a user may call his server.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;

use super::{
    action, ask,
    operation::admission::Act,
    view::{Answer, Detail, Document, Sight},
};
use crate::{Compute, input::document, versions::at_least};

pub(super) async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "server").await?;
    let name = ask.name("name")?;
    let description = if at_least(cx.version, 19) { ask.text_or_null("description", 0..=255)? } else { None };
    let hostname = ask::read_hostname(&mut ask, cx.version)?;
    let disk_config = ask::read_disk_config(&mut ask)?;
    let v4 = if ask.has("accessIPv4") { Some(ask::read_access_ip(&mut ask, "accessIPv4")?) } else { None };
    let v6 = if ask.has("accessIPv6") { Some(ask::read_access_ip(&mut ask, "accessIPv6")?) } else { None };
    ask.finish()?;
    let server = action::edit(&room, &cx, Act::Update, "server.update", move |_, server| {
        let set = |field: &mut String, new: &Option<String>| new.iter().for_each(|new| field.clone_from(new));
        set(&mut server.name, &name);
        set(&mut server.hostname, &hostname);
        set(&mut server.disk_config, &disk_config);
        let set = |field: &mut Option<String>, new: &Option<Option<String>>| new.iter().for_each(|new| field.clone_from(new));
        set(&mut server.description, &description);
        set(&mut server.access_ip_v4, &v4);
        set(&mut server.access_ip_v6, &v6);
        Ok(())
    })
    .await?;
    let sight = Sight::of(&room, &cx, std::slice::from_ref(&server)).await?;
    api::json(StatusCode::OK, &Document { server: Detail { cx: &cx, sight: &sight, server: &server, answer: Answer::Update } })
}
