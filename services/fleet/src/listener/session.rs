// SPDX-License-Identifier: Apache-2.0
//! A session's requests: its stream, what the node found, what it answers.

use contracts::{
    Refusal,
    node::{Answer, Hello, NodeSettings, Observed},
};
use http::{Response, StatusCode};
use store::{Actor, Tx};
use types::NodeId;

use super::{Body, Peer, done, join::check_protocol, stream};
use crate::{
    Fleet, Result, node,
    room::event,
    session::{Lines, drive},
};

pub(super) async fn begin(fleet: &Fleet, peer: &Peer, id: NodeId, hello: Hello) -> Result<Response<Body>> {
    check_protocol(hello.protocol)?;
    let desired = fleet.neighbours()?.desired.clone();
    record_hello(fleet, &id, hello).await?;

    let (lines, body) = Lines::new();
    let (session, inbox) = fleet.inner.sessions.begin(id.clone(), peer.connection);
    let settings = NodeSettings { southbound: fleet.inner.config.southbound.clone() };
    let fleet = fleet.clone();
    tokio::spawn(async move {
        fleet.changed(id.clone());
        drive(session.clone(), inbox, lines, settings, desired).await;
        if fleet.inner.sessions.finish(&session) {
            tracing::warn!(node = %id, "the node lost its connection");
            let seen = id.clone();
            let written = fleet.inner.store.write(move |tx: &mut Tx| node::set_seen(tx, &seen)).await;
            if let Err(error) = written {
                tracing::warn!(node = %id, %error, "when the node was seen last is not written down");
            }
            fleet.changed(id);
        }
    });
    Ok(stream(StatusCode::OK, "application/x-ndjson", body))
}

pub(super) async fn observed(fleet: &Fleet, peer: &Peer, node: NodeId, observed: Observed) -> Result<Response<Body>> {
    fleet.inner.sessions.on_connection(&node, peer.connection)?;
    fleet.neighbours()?.observed.observed(&node, &observed).await?;
    Ok(done())
}

pub(super) fn answered(fleet: &Fleet, peer: &Peer, node: NodeId, id: &str, answer: Answer) -> Result<Response<Body>> {
    let id = id.parse().map_err(|_| Refusal::invalid("an answer's id is a number"))?;
    fleet.inner.sessions.on_connection(&node, peer.connection)?.answered(id, answer);
    Ok(done())
}

async fn record_hello(fleet: &Fleet, id: &NodeId, hello: Hello) -> Result<()> {
    let id = id.clone();
    let write = move |tx: &mut Tx| -> Result<()> {
        let before = node::get(tx, &id)?;
        node::set_hello(tx, &id, &hello)?;
        if before.hello.as_ref() == Some(&hello) {
            return Ok(());
        }
        let view = |hello: &Hello| serde_json::to_value(hello).unwrap_or_default();
        let (was, is) = (before.hello.as_ref().map(view), Some(view(&hello)));
        Ok(tx.record(event(&Actor::system("fleet"), "node.hello", "node", id.as_str(), was, is))?)
    };
    fleet.inner.store.write(write).await
}
