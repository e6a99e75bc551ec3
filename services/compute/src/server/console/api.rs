// SPDX-License-Identifier: Apache-2.0
//! `remote-consoles`, the actions of old for the same, and what the operator may know of a word.

use std::{sync::Arc, time::Duration};

use api::{Cx, Fault, Reply};
use contracts::node::Feature;
use http::StatusCode;
use serde_json::{Value, json};
use types::Timestamp;

use super::{
    super::{Server, guard::Guard, operation::admission::Act, table as servers},
    Console,
    table::{self, Given},
    word::Word,
};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, Read, argument, document, wrong},
    versions::at_least,
};

/// How long a word is good, as with Nova.
const GOOD_FOR: Duration = Duration::from_secs(600);

const PROTOCOLS: [&str; 5] = ["vnc", "spice", "serial", "rdp", "mks"];
const TYPES: [&str; 6] = ["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks"];

pub(in super::super) async fn create(room: Arc<Compute>, mut cx: Cx) -> Reply {
    // The last of each came in 2.8.
    let known = usize::from(at_least(cx.version, 8));
    let mut ask = document(&mut cx, "remote_console").await?;
    let protocol = one_of(&mut ask, "protocol", &PROTOCOLS[..4 + known])?;
    let kind = one_of(&mut ask, "type", &TYPES[..5 + known])?;
    ask.finish()?;
    let console = match (protocol.as_str(), kind.as_str()) {
        ("vnc", "novnc") => Some(Console::Screen),
        ("serial", "serial") => Some(Console::Serial),
        _ => None,
    };
    let url = address(&room, &cx, console, &kind).await?;
    api::json(StatusCode::OK, &json!({"remote_console": {"protocol": protocol, "type": kind, "url": url}}))
}

pub(in super::super) async fn get_vnc(room: Arc<Compute>, cx: Cx) -> Reply {
    get(room, cx, "os-getVNCConsole", &TYPES[..2]).await
}

pub(in super::super) async fn get_serial(room: Arc<Compute>, cx: Cx) -> Reply {
    get(room, cx, "os-getSerialConsole", &["serial"]).await
}

/// Consoles that this cloud does not have, as where they are not deployed.
pub(in super::super) async fn get_unavailable(room: Arc<Compute>, cx: Cx) -> Reply {
    get(room, cx, "os-getSPICEConsole", &["spice-html5"]).await
}

async fn get(room: Arc<Compute>, mut cx: Cx, action: &str, kinds: &[&str]) -> Reply {
    let mut ask = Object::from_value(action, argument(&mut cx, action).await?)?;
    let kind = one_of(&mut ask, "type", kinds)?;
    ask.finish()?;
    let console = match kind.as_str() {
        "novnc" => Some(Console::Screen),
        "serial" => Some(Console::Serial),
        _ => None,
    };
    let url = address(&room, &cx, console, &kind).await?;
    api::json(StatusCode::OK, &json!({"console": {"type": kind, "url": url}}))
}

fn one_of(ask: &mut Object, field: &str, known: &[&str]) -> Read<String> {
    let said = ask.text(field, 0..=255)?;
    let said = ask.required(field, said)?;
    if known.contains(&said.as_str()) {
        return Ok(said);
    }
    Err(wrong(field, &json!(said), &format!("It is not one of ['{}'].", known.join("', '"))))
}

/// The address by which the console can be opened, once and within ten minutes.
async fn address(room: &Compute, cx: &Cx, console: Option<Console>, kind: &str) -> Read<String> {
    let guard = Guard::of(cx)?;
    let found = guard.clone();
    let server = room.store.read(move |tx| found.find(tx)).await?;
    let console = console.ok_or_else(|| Fault::bad_request(format!("Unavailable console type {kind}.")))?;
    let server = match ready(room, &guard, &server).await {
        Ok(server) => server,
        Err(error) => return Err(error.into()),
    };
    let word = Word::new().map_err(Fault::internal)?;
    let sealed = word.seal(cx.token()).map_err(Fault::internal)?;
    let given = Given { server: server.id.clone(), console, sealed };
    let (hash, expires_at) = (word.hash(), Timestamp::now().plus(GOOD_FOR));
    room.store.write(move |tx| table::insert(tx, &hash, &given, expires_at)).await?;
    let (base, word) = (cx.base_url(), word.reveal());
    Ok(match console {
        // As noVNC has it: where the websocket is, seen from the root of the page's address.
        Console::Screen => format!("{base}/dashboard/console?path=console%3Ftoken%3D{word}"),
        Console::Serial => format!("{}/console?token={word}", base.replacen("http", "ws", 1)),
    })
}

/// The server, if it has a machine whose host is there and opens consoles.
async fn ready(room: &Compute, guard: &Guard, server: &Server) -> Result<Server> {
    let guard = guard.clone();
    let not_ready = |why: &str| Error::conflict(format!("Instance {} is not ready: {why}", server.id));
    let server = room.store.read(move |tx| guard.admit(tx, Act::Console)).await?;
    let node = server.node_id.as_ref().filter(|node| server.role_of(node).is_some());
    let node = node.ok_or_else(|| not_ready("it has no machine on a host."))?;
    match room.nodes.get(node).await? {
        Some(facts) if facts.up => facts.demand(Feature::Console)?,
        _ => return Err(not_ready("its host is not connected now. Try again when it is.")),
    }
    Ok(server)
}

/// What a word is for, without the word being spent. There is no port: a console has a socket on its host, which only the host's
/// agent opens.
pub(in super::super) async fn auth_token(room: Arc<Compute>, cx: Cx) -> Reply {
    if !at_least(cx.version, 31) {
        return Err(Fault::bad_request("Console tokens are shown from version 2.31 on."));
    }
    let hash = Word::of(cx.param("token")).hash();
    let allowed = cx.allowed()?.clone();
    let read = room.store.read(move |tx| -> Result<_> {
        let Some(given) = table::find(tx, &hash)? else { return Ok(None) };
        servers::get(tx, &allowed, &given.server).map(Some)
    });
    let server = read.await?.ok_or_else(|| Fault::not_found("Token not found"))?;
    let told = json!({"instance_uuid": server.id, "host": server.host, "port": 0, "internal_access_path": Value::Null});
    api::json(StatusCode::OK, &json!({"console": told}))
}
