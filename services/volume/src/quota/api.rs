// SPDX-License-Identifier: Apache-2.0
//! `/os-quota-sets`.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Map, Value, json};
use store::{Change, Event};
use types::ProjectId;

use super::table;
use crate::{
    BlockStorage,
    error::Result,
    input::{Object, Read, document},
    quota::policy,
};

const SET: &str = "/v3/os-quota-sets/{project}";
const DEFAULTS: &str = "/v3/os-quota-sets/{project}/defaults";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new().get(SET, &policy::SHOW, show).put(SET, &policy::UPDATE, update).delete(SET, &policy::DELETE, delete).get(
        DEFAULTS,
        &policy::SHOW,
        defaults,
    )
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let project = project(&cx)?;
    let of = project.clone();
    let (limits, used) =
        room.store.read(move |tx| Ok::<_, crate::error::Error>((table::limits(tx, &of)?, table::usage(tx, &of)?))).await?;
    let with_usage = cx.query().flag("usage")?.unwrap_or(false);
    let value = |name: &str, limit: i64| match with_usage {
        false => json!(limit),
        true => json!({"limit": limit, "in_use": used.get(name).copied().unwrap_or_default(), "reserved": 0}),
    };
    render(Some(project.as_str()), limits.iter().map(|(name, limit)| (name.clone(), value(name, *limit))))
}

async fn defaults(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let project = project(&cx)?;
    let limits = room.store.read(|tx| table::defaults(tx, "default")).await?;
    render(Some(project.as_str()), limits.into_iter().map(|(name, limit)| (name, json!(limit))))
}

/// The limits that a body sets: of names that there are.
pub(super) fn read(ask: &mut Object, known: &table::Limits) -> Read<Vec<(String, i64)>> {
    let mut changes = Vec::new();
    for name in known.keys() {
        if let Some(limit) = ask.whole(name, -1..=i64::from(i32::MAX))? {
            changes.push((name.clone(), limit));
        }
    }
    Ok(changes)
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "quota_set").await?;
    ask.take("tenant_id");
    ask.take("id");
    // Cinder once looked at what is used, if it was asked to.
    ask.flag("skip_validation")?;
    let known = room.store.read(|tx| table::defaults(tx, "default")).await?;
    let changes = read(&mut ask, &known)?;
    ask.finish()?;
    if changes.is_empty() {
        return Err(Fault::bad_request("Invalid input for field/attribute quota_set. It names no limit."));
    }
    let (project, actor) = (project(&cx)?, cx.actor());
    let limits = room
        .store
        .write(move |tx| -> Result<_> {
            let before = table::limits(tx, &project)?;
            table::set(tx, &project, &changes)?;
            let after = table::limits(tx, &project)?;
            let event =
                Event::of(&actor, "volume_quota.update", ("volume_quota", project.as_str()), &Change::changed(&before, &after))?;
            tx.record(event.of_project(project.to_string()))?;
            Ok(after)
        })
        .await?;
    render(None, limits.into_iter().map(|(name, limit)| (name, json!(limit))))
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (project, actor) = (project(&cx)?, cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let before = table::limits(tx, &project)?;
            table::clear(tx, &project)?;
            let event = Event::of(&actor, "volume_quota.delete", ("volume_quota", project.as_str()), &Change::removed(&before))?;
            Ok(tx.record(event.of_project(project.to_string()))?)
        })
        .await?;
    Ok(api::empty(StatusCode::OK))
}

/// The project of the path. Another's is refused rather than hidden: its id is in the request already.
fn project(cx: &Cx) -> Read<ProjectId> {
    let project = ProjectId::new(cx.param("project"));
    if cx.allowed()?.scope().admits(&project, None) {
        Ok(project)
    } else {
        Err(Fault::forbidden("Policy doesn't allow the quotas of another project to be seen; that is for the operator."))
    }
}

pub(super) fn render(id: Option<&str>, values: impl Iterator<Item = (String, Value)>) -> Reply {
    let mut set: Map<String, Value> = values.collect();
    if let Some(id) = id {
        set.insert("id".to_owned(), json!(id));
    }
    api::json(StatusCode::OK, &json!({"quota_set": set}))
}
