// SPDX-License-Identifier: Apache-2.0
//! A session's requests: its stream, what the node found, what it answers.

use std::sync::Arc;

use contracts::{
    Refusal,
    node::{Answer, Ask, Hello, NodeSettings, Observed},
};
use http::{Response, StatusCode};
use store::{Actor, Tx};
use types::NodeId;

use super::{Body, Peer, done, join::check_protocol, reply, stream};
use crate::{
    Error, Fleet, Result,
    leading::Led,
    node,
    room::event,
    session::{Lines, drive},
};

pub(super) async fn begin(fleet: &Fleet, peer: &Peer, id: NodeId, hello: Hello) -> Result<Response<Body>> {
    check_protocol(hello.protocol)?;
    let led = fleet.led()?;
    notice_a_copy(&led, &hello).await?;
    // Refused by the tables if the lead was lost and we do not know it yet.
    record_hello(&led, &id, hello).await?;
    let controllers = fleet.controllers().await?;

    let (lines, body) = Lines::new();
    let (session, inbox) = fleet.inner.sessions.begin(id.clone(), peer.connection);
    let settings = NodeSettings { southbound: fleet.inner.config.southbound.clone(), controllers };
    if !fleet.led().is_ok_and(|now| Arc::ptr_eq(&now, &led)) {
        // The lead ended while the session began, perhaps just before it could be ended with the others.
        session.end();
    }
    let fleet = fleet.clone();
    tokio::spawn(async move {
        led.changed(id.clone());
        drive(session.clone(), inbox, lines, settings, led.clone()).await;
        if fleet.inner.sessions.finish(&session) {
            tracing::warn!(node = %id, "the node lost its connection");
            // After the lead is lost nothing is left to write down: the session was one of that lead.
            if let Err(error) = record_loss(&led, &id).await
                && !matches!(error, Error::Store(store::Error::NotLeading))
            {
                tracing::warn!(node = %id, error = &error as &dyn std::error::Error, "that the node was lost is not written down");
            }
            led.changed(id);
        }
    });
    Ok(stream(StatusCode::OK, "application/x-ndjson", body))
}

pub(super) async fn observed(fleet: &Fleet, peer: &Peer, node: NodeId, observed: Observed) -> Result<Response<Body>> {
    fleet.inner.sessions.on_connection(&node, peer.connection)?;
    fleet.led()?.neighbours.observed.observed(&node, &observed).await?;
    Ok(done())
}

pub(super) fn answered(fleet: &Fleet, peer: &Peer, node: NodeId, id: &str, answer: Answer) -> Result<Response<Body>> {
    let id = id.parse().map_err(|_| Refusal::invalid("an answer's id is a number"))?;
    fleet.inner.sessions.on_connection(&node, peer.connection)?.answered(id, answer);
    Ok(done())
}

/// Another controller's question for a node.
pub(super) async fn ask(fleet: &Fleet, node: NodeId, ask: Ask) -> Result<Response<Body>> {
    let answer = fleet.ask_here(&node, ask).await?;
    Ok(reply(StatusCode::OK, &answer))
}

/// A node that knows more of the database than it does itself tells that it was put back to an earlier state.
async fn notice_a_copy(led: &Led, hello: &Hello) -> Result<()> {
    let Some(seen) = &hello.knows else { return Ok(()) };
    if led.store.compare(seen, &hello.hostname).await? {
        tracing::warn!(
            node = hello.hostname,
            "the database was put back to an earlier state. What it does not know of is kept; `ferrostack strays` lists it"
        );
    }
    Ok(())
}

async fn record_hello(led: &Led, id: &NodeId, hello: Hello) -> Result<()> {
    let id = id.clone();
    let write = move |tx: &mut Tx| -> Result<()> {
        let before = node::get(tx, &id)?;
        node::set_hello(tx, &id, &hello)?;
        let view = |hello: &Hello| serde_json::to_value(hello).unwrap_or_default();
        let (was, is) = (before.hello.as_ref().map(view), Some(view(&hello)));
        Ok(tx.record(event(&Actor::system("fleet"), "node.connect", "node", id.as_str(), was, is))?)
    };
    led.store.write(write).await
}

async fn record_loss(led: &Led, id: &NodeId) -> Result<()> {
    let id = id.clone();
    let write = move |tx: &mut Tx| -> Result<()> {
        // A node that was removed is lost because of that, which is written down already.
        if node::set_lost(tx, &id)? {
            tx.record(event(&Actor::system("fleet"), "node.disconnect", "node", id.as_str(), None, None))?;
        }
        Ok(())
    };
    led.store.write(write).await
}
