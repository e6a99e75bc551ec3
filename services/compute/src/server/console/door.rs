// SPDX-License-Identifier: Apache-2.0
//! `GET /console?token=…`: where a client with a word becomes a websocket.
//!
//! A refusal has no body: whoever speaks websocket would take it for frames.
//!
//! Invariant: no page of another origin opens a console in a browser (test: `another_origin_opens_no_console`).

use std::sync::Arc;

use api::{Cx, Fault, Reply, Response};
use bounds::Full;
use http::{HeaderValue, StatusCode, header};
use store::{Actor, Event, Tx};

use super::{
    session::{Barred, Session},
    table::{self, Given},
    websocket,
    word::Word,
};
use crate::{Compute, error::Result};

/// The one that there is, and what browsers call it.
const PROTOCOL: &str = "binary";
const VERSION: &str = "13";

pub(super) async fn enter(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let key = match key(&cx) {
        Some(key) => key.to_owned(),
        None => {
            let fault = Fault::new(StatusCode::UPGRADE_REQUIRED, "A console is opened as a websocket, over HTTP/1.1.");
            return Err(fault.header(header::UPGRADE, HeaderValue::from_static("websocket")));
        }
    };
    match open(room, &mut cx).await {
        Ok(()) => Ok(switch(&cx, &key)),
        Err(status) => Ok(refuse(status)),
    }
}

async fn open(room: Arc<Compute>, cx: &mut Cx) -> Result<(), StatusCode> {
    if !is_own_origin(cx) || protocols(cx).is_some_and(|offered| !offers(offered)) {
        return Err(StatusCode::FORBIDDEN);
    }
    let upgrade = cx.upgrade().ok_or(StatusCode::BAD_REQUEST)?;
    let word = Word::of(cx.query().get("token").unwrap_or_default());
    let hash = word.hash();
    let found = room.store.read(move |tx| table::find(tx, &hash)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let Given { server, console, sealed } = found.ok_or(StatusCode::FORBIDDEN)?;
    let token = word.open(&sealed).ok_or(StatusCode::FORBIDDEN)?;
    let enforcer = cx.enforcer().clone();
    let (caller, server) = room.may_open(&enforcer, &token, &server).await.map_err(|barred| match barred {
        Barred::No => StatusCode::FORBIDDEN,
        Barred::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    })?;
    let place = room.consoles.enter_busy(server.project_id.to_string()).map_err(|full| match full {
        Full::Yours => StatusCode::TOO_MANY_REQUESTS,
        Full::All => StatusCode::SERVICE_UNAVAILABLE,
    })?;
    let node = server.node_id.clone().ok_or(StatusCode::FORBIDDEN)?;
    let actor = Actor {
        request_id: cx.request_id.clone(),
        user_id: Some(caller.user.id.to_string()),
        project_id: caller.project_id().map(ToString::to_string),
        name: caller.user.name.clone(),
    };
    let (hash, opened) = (word.hash(), server.clone());
    let spent = room.store.write(move |tx| spend(tx, &actor, &hash, &opened, console)).await;
    // Another may have come with the same word at the same moment.
    match spent {
        Ok(true) => {}
        Ok(false) => return Err(StatusCode::FORBIDDEN),
        Err(_) => return Err(StatusCode::SERVICE_UNAVAILABLE),
    }
    let (typed, typing) = Session::typed();
    let shown = room.nodes.open_console(&node, &server.id, console.of_node(), typing).await.map_err(|refusal| {
        tracing::warn!(server = %server.id, %refusal, "a console is not opened");
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    let session = Session { room, enforcer, token, server: server.id, console, place };
    tokio::spawn(session.hold(upgrade, shown, typed));
    Ok(())
}

/// The word is good for nothing from now on, and who looked at what is on record.
fn spend(tx: &mut Tx, actor: &Actor, hash: &str, server: &super::super::Server, console: super::Console) -> Result<bool> {
    if !table::take(tx, hash)? {
        return Ok(false);
    }
    tx.record(Event {
        actor: actor.clone(),
        action: "server.console.open".to_owned(),
        resource_type: "server",
        resource_id: server.id.to_string(),
        project_id: Some(server.project_id.to_string()),
        before: None,
        after: Some(serde_json::json!({"console": console.word()})),
    })?;
    Ok(true)
}

/// What the client wants to have answered, if it speaks websocket.
fn key(cx: &Cx) -> Option<&str> {
    let says = |name: &str, word: &str| {
        cx.header(name).is_some_and(|said| said.split(',').any(|said| said.trim().eq_ignore_ascii_case(word)))
    };
    let speaks = says("upgrade", "websocket") && says("connection", "upgrade") && says("sec-websocket-version", VERSION);
    cx.header("sec-websocket-key").filter(|key| speaks && !key.is_empty())
}

/// Browsers say from which page a websocket is opened; what is no browser need not.
fn is_own_origin(cx: &Cx) -> bool {
    match cx.headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(cx.base_url())),
    }
}

fn protocols(cx: &Cx) -> Option<&str> {
    cx.header("sec-websocket-protocol")
}

fn offers(protocols: &str) -> bool {
    protocols.split(',').any(|offered| offered.trim() == PROTOCOL)
}

fn switch(cx: &Cx, key: &str) -> Response {
    let mut response = api::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accepted) = HeaderValue::from_str(&websocket::accept(key)) {
        headers.insert("sec-websocket-accept", accepted);
    }
    if protocols(cx).is_some() {
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
    }
    response
}

fn refuse(status: StatusCode) -> Response {
    let mut response = api::empty(status);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
