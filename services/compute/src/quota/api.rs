// SPDX-License-Identifier: Apache-2.0
//! `/os-quota-sets`.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Change, Event};
use types::ProjectId;

use super::{RESOURCES, Resource, table};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Read, document},
    quota::policy,
    versions::at_least,
};

const SET: &str = "/v2.1/os-quota-sets/{project}";
const DEFAULTS: &str = "/v2.1/os-quota-sets/{project}/defaults";
const DETAIL: &str = "/v2.1/os-quota-sets/{project}/detail";

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(SET, &policy::SHOW, show)
        .put(SET, &policy::UPDATE, update)
        .delete(SET, &policy::DELETE, delete)
        .get(DEFAULTS, &policy::DEFAULTS, defaults)
        .get(DETAIL, &policy::DETAIL, detail)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let project = project(&cx)?;
    let limits = room.store.read(move |tx| table::limits(tx, &project)).await?;
    render(&cx, Some(cx.param("project")), |_, name| json!(limits[name]))
}

async fn detail(room: Arc<Compute>, cx: Cx) -> Reply {
    let project = project(&cx)?;
    let (limits, used) =
        room.store.read(move |tx| Ok::<_, Error>((table::limits(tx, &project)?, table::usage(tx, &project)?))).await?;
    render(&cx, Some(cx.param("project")), |resource, name| {
        let in_use = match resource {
            Resource::Instances => used.instances,
            Resource::Cores => used.cores,
            Resource::Ram => used.ram,
            // The others are per user or per server; Nova shows 0 for them too.
            _ => 0,
        };
        json!({"in_use": in_use, "limit": limits[name], "reserved": 0})
    })
}

async fn defaults(_room: Arc<Compute>, cx: Cx) -> Reply {
    let defaults: BTreeMap<&str, i64> = RESOURCES.iter().map(|(_, name, default)| (*name, *default)).collect();
    render(&cx, Some(cx.param("project")), |_, name| json!(defaults[name]))
}

async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "quota_set").await?;
    let forced = ask.flag("force")?.unwrap_or(false);
    ask.take("tenant_id");
    let mut changes: Vec<(&'static str, i64)> = Vec::new();
    for (_, name, _) in RESOURCES.iter().filter(|(resource, ..)| is_shown(&cx, *resource)) {
        if let Some(limit) = ask.whole(name, -1..=i64::from(i32::MAX))? {
            changes.push((name, limit));
        }
    }
    ask.finish()?;
    let (project, actor) = (project(&cx)?, cx.actor());
    let limits = room
        .store
        .write(move |tx| -> Result<_> {
            let used = table::usage(tx, &project)?;
            if !forced {
                for (name, limit) in &changes {
                    let used = match *name {
                        "instances" => used.instances,
                        "cores" => used.cores,
                        "ram" => used.ram,
                        _ => 0,
                    };
                    if *limit >= 0 && *limit < used {
                        return Err(Error::invalid(format!(
                            "Quota limit {limit} for {name} must be greater than or equal to already used and reserved {used}."
                        )));
                    }
                }
            }
            let before = table::limits(tx, &project)?;
            table::set(tx, &project, &changes)?;
            let after = table::limits(tx, &project)?;
            let event = Event::of(&actor, "quota.update", ("quota", project.as_str()), &Change::changed(&before, &after))?;
            tx.record(event.of_project(project.to_string()))?;
            Ok(after)
        })
        .await?;
    render(&cx, None, |_, name| json!(limits[name]))
}

async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let (project, actor) = (project(&cx)?, cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let before = table::limits(tx, &project)?;
            table::clear(tx, &project)?;
            let event = Event::of(&actor, "quota.delete", ("quota", project.as_str()), &Change::removed(&before))?;
            tx.record(event.of_project(project.to_string()))?;
            Ok(())
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// The project of the path. Another's is refused rather than hidden, as Nova does: its id is in the request already.
fn project(cx: &Cx) -> Read<ProjectId> {
    let project = ProjectId::new(cx.param("project"));
    if cx.allowed()?.scope().admits(&project, None) {
        Ok(project)
    } else {
        Err(Fault::forbidden("Policy doesn't allow the quotas of another project to be seen; that is for the operator."))
    }
}

fn is_shown(cx: &Cx, resource: Resource) -> bool {
    resource.gone_since().is_none_or(|minor| !at_least(cx.version, minor))
}

fn render(cx: &Cx, id: Option<&str>, value: impl Fn(Resource, &str) -> Value) -> Reply {
    let mut set = json!({});
    if let Some(id) = id {
        set["id"] = json!(id);
    }
    for (resource, name, _) in RESOURCES.iter().filter(|(resource, ..)| is_shown(cx, *resource)) {
        set[*name] = value(*resource, name);
    }
    api::json(StatusCode::OK, &json!({"quota_set": set}))
}
