// SPDX-License-Identifier: Apache-2.0
//! `PUT /servers/{id}`: the name and what else a user may call his server.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;
use serde_json::json;
use store::params;
use types::Timestamp;

use super::{
    ask,
    guard::Guard,
    store as table,
    view::{Answer, Detail, Document, Sight},
};
use crate::{Compute, error::Result, input::document, versions::at_least};

pub(super) async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "server").await?;
    let name = ask.name("name")?;
    let description = if at_least(cx.version, 19) { ask.text_or_null("description", 0..=255)? } else { None };
    let hostname = ask::read_hostname(&mut ask, cx.version)?;
    let disk_config = ask::read_disk_config(&mut ask)?;
    let v4 = if ask.has("accessIPv4") { Some(ask::read_access_ip(&mut ask, "accessIPv4")?) } else { None };
    let v6 = if ask.has("accessIPv6") { Some(ask::read_access_ip(&mut ask, "accessIPv6")?) } else { None };
    ask.finish()?;
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    let (server, node) = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.open(tx)?;
            let mut server = before.clone();
            server.name = name.clone().unwrap_or(server.name);
            server.description = description.clone().unwrap_or(server.description);
            server.hostname = hostname.clone().unwrap_or(server.hostname);
            server.disk_config = disk_config.clone().unwrap_or(server.disk_config);
            server.access_ip_v4 = v4.clone().unwrap_or(server.access_ip_v4);
            server.access_ip_v6 = v6.clone().unwrap_or(server.access_ip_v6);
            server.updated_at = Timestamp::now();
            tx.execute(
                "UPDATE servers SET name = $1, description = $2, hostname = $3, disk_config = $4, access_ip_v4 = $5, \
                 access_ip_v6 = $6, updated_at = $7 WHERE id = $8",
                &params![
                    &server.name,
                    server.description.clone(),
                    &server.hostname,
                    &server.disk_config,
                    server.access_ip_v4.clone(),
                    server.access_ip_v6.clone(),
                    server.updated_at,
                    &server.id
                ],
            )?;
            let facts = |server: &super::Server| json!({"name": server.name, "description": server.description, "hostname": server.hostname});
            table::record(tx, &actor, "server.update", &server, Some(facts(&before)), facts(&server))?;
            let node = server.node_id.clone().filter(|_| server.wants_machine());
            Ok((server, node))
        })
        .await?;
    // The guest reads its names from the metadata service of its node.
    if let Some(node) = node {
        room.nodes.wake(&node);
    }
    let sight = Sight::of(&room, &cx, std::slice::from_ref(&server)).await?;
    api::json(StatusCode::OK, &Document { server: Detail { cx: &cx, sight: &sight, server: &server, answer: Answer::Update } })
}
