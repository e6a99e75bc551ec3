// SPDX-License-Identifier: Apache-2.0
//! `GET /servers` and `/servers/detail`: whose servers, in which order, in pages. A page costs the same few statements
//! however long it is.

use std::sync::Arc;

use access::{Allowed, Policy, Scope};
use api::{Cx, Fault, Paging, PagingHabits, Reply, Sort};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use store::Direction;

use super::{
    Server, filter, table,
    view::{self, Answer, Detail, Sight},
};
use crate::{
    Compute,
    error::Error,
    input::{Read, wrong},
    links::{self, Link},
    query,
    server::policy,
    versions::at_least,
};

const HABITS: PagingHabits = PagingHabits { max: 1000, default: Some(1000), default_sort: &[("created_at", Sort::Descending)] };

pub(super) async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let (paging, servers) = page(&room, &cx, &policy::INDEX_ALL).await?;
    let views = servers.iter().map(|server| view::brief(&cx, server)).collect::<Vec<_>>();
    render(&cx, &paging, &servers, &views)
}

pub(super) async fn list_detail(room: Arc<Compute>, cx: Cx) -> Reply {
    let (paging, servers) = page(&room, &cx, &policy::DETAIL_ALL).await?;
    let sight = Sight::of(&room, &cx, &servers).await?;
    let views = servers.iter().map(|server| Detail { cx: &cx, sight: &sight, server, answer: Answer::List }).collect::<Vec<_>>();
    render(&cx, &paging, &servers, &views)
}

#[derive(Serialize)]
struct Page<'a, V> {
    servers: &'a [V],
    #[serde(rename = "servers_links", skip_serializing_if = "Option::is_none")]
    links: Option<Vec<Link>>,
}

fn render<V: Serialize>(cx: &Cx, paging: &Paging, servers: &[Server], views: &[V]) -> Reply {
    let last = servers.last().map(|server| server.id.as_str());
    api::json(StatusCode::OK, &Page { servers: views, links: links::next(cx, paging, servers.len(), last) })
}

async fn page(room: &Compute, cx: &Cx, all: &'static Policy) -> Result<(Paging, Vec<Server>), Fault> {
    if at_least(cx.version, 75) {
        query::only(cx, filter::KNOWN)?;
    }
    let paging = Paging::read(cx.query(), &HABITS)?;
    let Some(allowed) = reach(cx, all)? else { return Ok((paging, Vec::new())) };
    let Some(filter) = filter::read(cx, &allowed)? else { return Ok((paging, Vec::new())) };
    let keys: Vec<_> = paging.sort.iter().map(|(key, sort)| Ok((column(cx, key)?, direction(*sort)))).collect::<Read<_>>()?;
    let select = query::page(filter.select.clone().sort(&keys, "id"), &paging);
    let marker = paging.marker.clone().unwrap_or_default();
    let servers = room
        .store
        .list(move |tx| -> Result<_, Error> {
            let mut select = select.clone();
            if let Some(ids) = filter.look(tx)? {
                select = select.filter_in("id", ids);
            }
            let rows = select.rows(tx).map_err(|error| match error {
                store::Error::MarkerNotFound => Error::invalid(format!("marker [{marker}] not found")),
                error => error.into(),
            })?;
            table::rows(&rows)
        })
        .await?;
    Ok((paging, servers))
}

/// Whose servers are listed: the token's project, or with `all_tenants` everybody's.
fn reach(cx: &Cx, all: &'static Policy) -> Read<Option<Allowed<Scope>>> {
    let every = match cx.query().get("all_tenants") {
        None => false,
        Some("") => true,
        Some(_) => cx.query().flag("all_tenants")?.unwrap_or(false),
    };
    if every {
        return cx.scope(all).map(Some);
    }
    let allowed = cx.allowed()?;
    Ok(cx.caller()?.project_id().and_then(|project| allowed.in_project(project)))
}

fn direction(sort: Sort) -> Direction {
    match sort {
        Sort::Ascending => Direction::Asc,
        Sort::Descending => Direction::Desc,
    }
}

fn column(cx: &Cx, key: &str) -> Read<&'static str> {
    Ok(match key {
        "created_at" => "created_at",
        "updated_at" => "updated_at",
        "launched_at" => "launched_at",
        "terminated_at" => "deleted_at",
        "display_name" | "name" => "name",
        "display_description" | "description" => "description",
        "hostname" => "hostname",
        "uuid" | "id" => "id",
        "instance_type_id" | "flavor" => "flavor_id",
        "image_ref" => "image_id",
        "key_name" => "key_name",
        "project_id" => "project_id",
        "user_id" => "user_id",
        "host" | "node" => "host",
        "vm_state" => "vm_state",
        "status" => "status",
        "task_state" => "task_state",
        "power_state" => "power_state",
        "availability_zone" => "zone",
        "config_drive" => "config_drive",
        "launch_index" => "launch_index",
        "locked_by" => "locked_by",
        "locked" if at_least(cx.version, 73) => "locked_by",
        "access_ip_v4" => "access_ip_v4",
        "access_ip_v6" => "access_ip_v6",
        // The same for all of ours.
        "auto_disk_config" | "progress" | "root_device_name" => "id",
        other => return Err(wrong("sort_key", &json!(other), "It is not a key by which servers are sorted.")),
    })
}
