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
            if let Err(error) = record_loss(&fleet, &id).await {
                tracing::warn!(node = %id, error = &error as &dyn std::error::Error, "that the node was lost is not written down");
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
        let view = |hello: &Hello| serde_json::to_value(hello).unwrap_or_default();
        let (was, is) = (before.hello.as_ref().map(view), Some(view(&hello)));
        Ok(tx.record(event(&Actor::system("fleet"), "node.connect", "node", id.as_str(), was, is))?)
    };
    fleet.inner.store.write(write).await
}

async fn record_loss(fleet: &Fleet, id: &NodeId) -> Result<()> {
    let id = id.clone();
    let write = move |tx: &mut Tx| -> Result<()> {
        // A node that was removed is lost because of that, which is written down already.
        if node::set_seen(tx, &id)? {
            tx.record(event(&Actor::system("fleet"), "node.disconnect", "node", id.as_str(), None, None))?;
        }
        Ok(())
    };
    fleet.inner.store.write(write).await
}
