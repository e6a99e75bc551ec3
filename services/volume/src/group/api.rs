// SPDX-License-Identifier: Apache-2.0
//! `/groups`, from 3.13 on: the table of its routes, the reads, and how a group is made.

use std::sync::Arc;

use access::Target;
use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use types::Timestamp;

use super::{
    Group, copy, edit, policy,
    table::{self, Members},
};
use crate::{
    BlockStorage,
    error::{Error, Result},
    group_type,
    input::document,
    links,
    query::{self, Page},
    quota,
    versions::{at_least, v},
    volume_type,
    zone::ZONE,
};

const GROUPS: &str = "/v3/groups";
const DETAIL: &str = "/v3/groups/detail";
const GROUP: &str = "/v3/groups/{id}";
const ACTION: &str = "/v3/groups/{id}/action";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(GROUPS, &policy::INDEX, list)
        .since(v(13))
        .post(GROUPS, &policy::CREATE, create)
        .since(v(13))
        .get(DETAIL, &policy::INDEX, list_detail)
        .since(v(13))
        .action("/v3/groups/action", "create-from-src", &policy::CREATE, copy::create)
        .since(v(14))
        .get(GROUP, &policy::SHOW, show)
        .since(v(13))
        .put(GROUP, &policy::UPDATE, edit::update)
        .since(v(13))
        .action(ACTION, "delete", &policy::DELETE, edit::delete)
        .since(v(13))
        .action(ACTION, "reset_status", &policy::RESET_STATUS, edit::reset_status)
        .since(v(20))
        .each_asking(&[&policy::PROJECT])
}

fn view(cx: &Cx, group: &Group, members: &Members) -> Value {
    let mut view = group.brief();
    view["status"] = json!(group.status(members));
    view["availability_zone"] = json!(ZONE);
    view["created_at"] = json!(group.created_at.naive_micros());
    view["group_type"] = json!(group.group_type_id);
    view["description"] = json!(group.description);
    view["volume_types"] = json!(group.volume_types);
    if at_least(cx.version, 14) {
        view["group_snapshot_id"] = json!(group.group_snapshot_id);
        view["source_group_id"] = json!(group.source_group_id);
    }
    if at_least(cx.version, 25) && cx.query().get("list_volume").is_some_and(|flag| words::flag::oslo(flag) == Some(true)) {
        view["volumes"] = json!(members.volumes);
    }
    if at_least(cx.version, 38) {
        view["replication_status"] = json!("disabled");
    }
    if at_least(cx.version, 58) && cx.may(&policy::PROJECT, &Target::in_project(&group.project_id)) {
        view["project_id"] = json!(group.project_id);
    }
    view
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, true).await
}

async fn list_detail(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, false).await
}

async fn render(room: &BlockStorage, cx: &Cx, is_brief: bool) -> Reply {
    let page = Page::read(cx)?;
    let (groups, members) = match query::reach(cx, cx.allowed()?)? {
        None => Default::default(),
        Some(allowed) => {
            let mut select = query::within(table::select(), &allowed);
            for (name, value) in cx.query().pairs() {
                select = match name {
                    "name" => select.filter("name = ", value),
                    "group_type_id" => select.filter("group_type_id = ", value),
                    _ => select,
                };
            }
            let column = |key: &str| match key {
                "id" => Some("id"),
                "created_at" => Some("created_at"),
                "name" => Some("name"),
                "group_type_id" => Some("group_type_id"),
                _ => None,
            };
            let select = page.of(select, column, &["name"])?;
            let read = room.store.list(move |tx| -> Result<_> {
                let groups = table::rows(tx, &select)?;
                let members = table::members(tx, &groups)?;
                Ok((groups, members))
            });
            read.await?
        }
    };
    let groups = page.cut(groups);
    let none = Members::default();
    let one = |group: &Group| if is_brief { group.brief() } else { view(cx, group, members.get(&group.id).unwrap_or(&none)) };
    let mut document = json!({"groups": groups.iter().map(one).collect::<Vec<Value>>()});
    if let Some(next) = links::next(cx, &page.paging, groups.len(), groups.last().map(|group| group.id.as_str())) {
        document["group_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let read = room.store.read(move |tx| -> Result<_> {
        let group = table::get(tx, &allowed, &id)?;
        let members = table::members(tx, std::slice::from_ref(&group))?.remove(&group.id).unwrap_or_default();
        Ok((group, members))
    });
    let (group, members) = read.await?;
    api::json(StatusCode::OK, &json!({"group": view(&cx, &group, &members)}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "group").await?;
    let name = ask.label("name")?.flatten();
    let description = ask.label("description")?.flatten();
    let group_type = ask.name("group_type")?;
    let kinds = ask.list("volume_types")?;
    let kinds = ask.required("volume_types", kinds)?;
    if let Some(zone) = ask.take_some("availability_zone").filter(|zone| zone != ZONE) {
        let zone = words::shortened(zone.as_str().unwrap_or_default(), 120);
        return Err(Fault::bad_request(format!("Availability zone '{zone}' is invalid. There is one: {ZONE}.")));
    }
    ask.finish()?;
    let kinds: Option<Vec<String>> = kinds.iter().map(|kind| kind.as_str().map(str::to_owned)).collect();
    let kinds = kinds.filter(|kinds| (1..=64).contains(&kinds.len()));
    let kinds = kinds.ok_or_else(|| Fault::bad_request("volume_types is a list of 1 to 64 names or ids of volume types."))?;
    let (project, user) = (cx.project()?.clone(), cx.caller()?.user.id.clone());
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let write = room.store.write(move |tx| -> Result<Group> {
        let group_type = group_type::table::usable(tx, &group_type)?;
        let mut volume_types = Vec::new();
        for word in &kinds {
            let kind = volume_type::table::chosen(tx, &project, &allowed, Some(word))?;
            if volume_types.contains(&kind.id) {
                return Err(Error::invalid(format!("Invalid input received: the volume type {} is named twice.", kind.name)));
            }
            volume_types.push(kind.id);
        }
        quota::check_group(tx, &project)?;
        let group = Group {
            id: uuid::Uuid::new_v4().to_string(),
            project_id: project.clone(),
            user_id: user.clone(),
            name: name.clone(),
            description: description.clone(),
            group_type_id: group_type.id,
            volume_types,
            group_snapshot_id: None,
            source_group_id: None,
            forced_status: None,
            deleting_at: None,
            revision: 1,
            created_at: Timestamp::now(),
        };
        table::insert(tx, &actor, &group)?;
        Ok(group)
    });
    api::json(StatusCode::ACCEPTED, &json!({"group": write.await?.brief()}))
}
