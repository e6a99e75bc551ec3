// SPDX-License-Identifier: Apache-2.0
//! `/servers/{id}/os-instance-actions`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Cx, Fault, Paging, PagingHabits, Reply, Routes, Shown, attributes};
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use store::{Direction, Row, Select, Tx};
use types::{Microversion, ProjectId, ServerId, Timestamp};

use crate::{
    Compute,
    error::{Error, Result},
    input::{Read, wrong},
    instance_action::policy,
    links, query,
    server::{Server, table as servers, view},
    versions::{at_least, v},
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
        .get(ACTIONS, &policy::LIST, list)
        .get(ACTION, &policy::SHOW, show)
        .asking(&[&policy::EVENTS, &policy::EVENTS_DETAILS])
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
    let sees_all = cx.may(&policy::EVENTS, &target);
    if sees_all || at_least(cx.version, 51) {
        let sees_details = cx.may(&policy::EVENTS_DETAILS, &target);
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

/// An action in the eyes of a request.
struct View<'a> {
    cx: &'a Cx,
    action: &'a Entry,
    /// Of whose project the server is; none where events are not told.
    project: Option<&'a ProjectId>,
    sees_all: bool,
    sees_details: bool,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, asked: &'static Policy) -> bool {
        let (all, details) = (&policy::EVENTS, &policy::EVENTS_DETAILS);
        (self.sees_all && asked == all) || (self.sees_details && asked == details)
    }
}

attributes! {
    /// What a list tells of an action.
    ACTION_BRIEF, fn briefly(it: &View<'_>);
    "action" => it.action.action,
    "instance_uuid" => it.cx.param("id"),
    "request_id" => it.action.request_id,
    "project_id" => it.action.project_id,
    "user_id" => it.action.user_id,
    "start_time" => it.action.started_at.naive_micros(),
    "message" => it.action.message,
    "updated_at" since(v(58)) => it.action.updated_at.naive_micros(),
}

attributes! {
    /// What is told of an event of an action. Tracebacks and hosts are the operator's.
    EVENT, fn tell_event(it: &View<'_>);
    "event" => it.action.event,
    "start_time" => it.action.started_at.naive_micros(),
    "finish_time" => it.action.finished_at.map(|at| at.naive_micros()),
    "result" => it.action.result,
    "traceback" by(policy::EVENTS) => (),
    "host" since(v(62)) by(policy::EVENTS) => it.action.host,
    "hostId" since(v(62)) => it.project.map(|project| view::host_id(project, it.action.host.as_deref())),
    "details" since(v(84)) by(policy::EVENTS_DETAILS) => it.action.message,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.project {
            None => briefly(self, &mut map)?,
            Some(_) => tell_event(self, &mut map)?,
        }
        map.end()
    }
}

fn brief(cx: &Cx, action: &Entry) -> Value {
    json!(View { cx, action, project: None, sees_all: false, sees_details: false })
}

fn event(cx: &Cx, server: &Server, action: &Entry, sees_all: bool, sees_details: bool) -> Option<Value> {
    let view = View { cx, action, project: Some(&server.project_id), sees_all, sees_details };
    (!action.event.is_empty()).then(|| json!(view))
}
