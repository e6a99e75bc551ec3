// SPDX-License-Identifier: Apache-2.0
//! `/servers/{id}/os-instance-actions`.

use std::sync::Arc;

use access::Target;
use api::{Cx, Fault, Paging, PagingHabits, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Direction, Row, Select, Tx};
use types::{ServerId, Timestamp};

use crate::{
    Compute,
    error::{Error, Result},
    input::{Read, wrong},
    links, policy, query,
    server::{Server, store as servers, view},
    versions::at_least,
};

const ACTIONS: &str = "/v2.1/servers/{id}/os-instance-actions";
const ACTION: &str = "/v2.1/servers/{id}/os-instance-actions/{request_id}";
const HABITS: PagingHabits = PagingHabits { max: 1000, default: Some(1000), default_sort: &[] };
const COLUMNS: &str =
    "request_id, project_id, user_id, action, event, host, started_at, updated_at, finished_at, result, message";

struct Entry {
    request_id: String,
    project_id: String,
    user_id: Option<String>,
    action: String,
    event: String,
    host: Option<String>,
    started_at: Timestamp,
    updated_at: Timestamp,
    finished_at: Option<Timestamp>,
    result: Option<String>,
    message: Option<String>,
}

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(ACTIONS, &policy::ACTION_LIST, list)
        .get(ACTION, &policy::ACTION_SHOW, show)
        .asking(&[&policy::ACTION_EVENTS, &policy::ACTION_EVENTS_DETAILS])
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let paged = at_least(cx.version, 58);
    if at_least(cx.version, 75) {
        query::only(&cx, &["changes-since", "changes-before"])?;
    }
    let paging = Paging::read(cx.query(), &HABITS)?;
    let since = time(&cx, "changes-since", 58)?;
    let before = time(&cx, "changes-before", 66)?;
    let finder = finder(&cx)?;
    let marker = paging.marker.clone().unwrap_or_default();
    let id = cx.param("id").to_owned();
    let mut select = Select::new("server_actions", COLUMNS).scope("server_id = ", &id);
    if let Some(since) = since {
        select = select.filter("updated_at >= ", since);
    }
    if let Some(before) = before {
        select = select.filter("updated_at <= ", before);
    }
    select = select.sort(&[("started_at", Direction::Desc)], "request_id");
    if paged {
        select = query::page(select, &paging);
    }
    let actions = room
        .store
        .list(move |tx| -> Result<_> {
            finder(tx)?;
            let rows = select.rows(tx).map_err(|error| match error {
                store::Error::MarkerNotFound => Error::invalid(format!("marker [{marker}] not found")),
                error => error.into(),
            })?;
            Ok::<_, Error>(rows.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    let views: Vec<Value> = actions.iter().map(|action| brief(&cx, action)).collect();
    let mut document = json!({"instanceActions": views});
    let last = actions.last().map(|action| action.request_id.as_str());
    if paged && let Some(next) = links::next(&cx, &paging, actions.len(), last) {
        document["links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (id, request_id) = (cx.param("id").to_owned(), cx.param("request_id").to_owned());
    let finder = finder(&cx)?;
    let (server, action) = room
        .store
        .read(move |tx| -> Result<_> {
            let server = finder(tx)?;
            let select = Select::new("server_actions", COLUMNS)
                .filter("server_id = ", &id)
                .filter("request_id = ", &request_id)
                .sort(&[], "request_id");
            let rows = select.rows(tx)?;
            let row = rows
                .first()
                .ok_or_else(|| Error::not_found(format!("Action for request_id {request_id} on instance {id} not found")))?;
            Ok::<_, Error>((server, from_row(row)?))
        })
        .await?;
    let mut view = brief(&cx, &action);
    let target = Target::in_project(&server.project_id);
    // Owners see the events from 2.51 on; tracebacks and hosts are the operator's.
    let sees_all = cx.may(&policy::ACTION_EVENTS, &target);
    if sees_all || at_least(cx.version, 51) {
        let sees_details = cx.may(&policy::ACTION_EVENTS_DETAILS, &target);
        view["events"] = json!(event(&cx, &server, &action, sees_all, sees_details).map_or_else(Vec::new, |event| vec![event]));
    }
    api::json(StatusCode::OK, &json!({"instanceAction": view}))
}

/// Finds the server: from 2.21 on even a deleted one.
fn finder(cx: &Cx) -> Read<impl Fn(&mut Tx) -> Result<Server> + Send + Sync + use<>> {
    let (allowed, id, deleted_too) = (cx.allowed()?.clone(), ServerId::new(cx.param("id")), at_least(cx.version, 21));
    Ok(
        move |tx: &mut Tx| {
            if deleted_too { servers::get_even_deleted(tx, &allowed, &id) } else { servers::get(tx, &allowed, &id) }
        },
    )
}

fn time(cx: &Cx, name: &str, since: u16) -> Result<Option<Timestamp>, Fault> {
    let Some(text) = cx.query().get(name).filter(|_| at_least(cx.version, since)) else { return Ok(None) };
    let parsed = Timestamp::parse(text).or_else(|| Timestamp::parse(&text.replace(' ', "+")));
    parsed.map(Some).ok_or_else(|| wrong(name, &json!(text), "It is not a 'date-time'."))
}

fn from_row(row: &Row) -> store::Result<Entry> {
    Ok(Entry {
        request_id: row.get(0)?,
        project_id: row.get(1)?,
        user_id: row.get(2)?,
        action: row.get(3)?,
        event: row.get(4)?,
        host: row.get(5)?,
        started_at: row.get(6)?,
        updated_at: row.get(7)?,
        finished_at: row.get(8)?,
        result: row.get(9)?,
        message: row.get(10)?,
    })
}

fn brief(cx: &Cx, action: &Entry) -> Value {
    let mut view = json!({
        "action": action.action,
        "instance_uuid": cx.param("id"),
        "request_id": action.request_id,
        "project_id": action.project_id,
        "user_id": action.user_id,
        "start_time": action.started_at.naive_micros(),
        "message": action.message,
    });
    if at_least(cx.version, 58) {
        view["updated_at"] = json!(action.updated_at.naive_micros());
    }
    view
}

fn event(cx: &Cx, server: &Server, action: &Entry, sees_all: bool, sees_details: bool) -> Option<Value> {
    if action.event.is_empty() {
        return None;
    }
    let mut view = json!({
        "event": action.event,
        "start_time": action.started_at.naive_micros(),
        "finish_time": action.finished_at.map(|at| at.naive_micros()),
        "result": action.result,
    });
    if sees_all {
        view["traceback"] = Value::Null;
    }
    if at_least(cx.version, 62) {
        if sees_all {
            view["host"] = json!(action.host);
        }
        view["hostId"] = json!(view::host_id(&server.project_id, action.host.as_deref()));
    }
    if at_least(cx.version, 84) && sees_details {
        view["details"] = json!(action.message);
    }
    Some(view)
}
