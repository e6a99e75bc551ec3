// SPDX-License-Identifier: Apache-2.0
//! A session's requests: its stream, what the node found, what it answers.

use std::{io, sync::Arc, time::Duration};

use contracts::{
    Refusal,
    node::{Answer, Ask, Hello, NodeSettings, Observed, earlier},
};
use futures_util::TryStreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use store::{Actor, Tx};
use tokio::time::timeout;
use types::{NodeId, ServerId};

use super::{Body, LONGEST_REQUEST, Peer, bytes, collect, done, join::common, parse, reply};
use crate::{
    Error, Fleet, Result,
    leading::Led,
    node,
    session::{Lines, Said, drive},
};

/// Less than any node waits for an answer.
const REPORT_WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn begin(fleet: &Fleet, peer: &Peer, id: NodeId, mut hello: Hello) -> Result<Response<Body>> {
    let protocol = common(hello.speaks)?;
    let led = fleet.led()?;
    notice_a_copy(&led, &hello).await?;
    let said = Said { holds: std::mem::take(&mut hello.holds), features: hello.features.clone() };
    // Refused by the tables if the lead was lost and we do not know it yet.
    record_hello(&led, &id, hello).await?;
    let controllers = fleet.controllers().await?;

    let (lines, body) = Lines::new(protocol);
    let (session, inbox) = fleet.inner.sessions.begin(id.clone(), peer.connection, protocol);
    let settings = NodeSettings { southbound: fleet.inner.config.southbound.clone(), controllers };
    peer.in_session(&session);
    if !fleet.led().is_ok_and(|now| Arc::ptr_eq(&now, &led)) || peer.node(fleet).await.is_err() {
        // The lead ended while the session began, or the node was removed, perhaps just before this one could be ended with the
        // others.
        session.end();
    }
    let fleet = fleet.clone();
    tokio::spawn(async move {
        led.changed(id.clone());
        drive(session.clone(), inbox, lines, settings, said, led.clone()).await;
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
    Ok(bytes(StatusCode::OK, "application/x-ndjson", body))
}

/// A report is taken in soon or refused for now: a node that waits longer than it waits for anything would take the connection
/// for dead, and all of them would come back at once with all that they know.
///
/// Invariant: tables that are slow make no node connect anew (test: `a_report_that_is_not_taken_in_soon_is_refused_for_now`).
pub(super) async fn observed(fleet: &Fleet, peer: &Peer, node: NodeId, request: Request<Incoming>) -> Result<Response<Body>> {
    let session = fleet.inner.sessions.on_connection(&node, peer.connection)?;
    let report = collect(LONGEST_REQUEST, request).await?;
    let led = fleet.led()?;
    if session.has_taken(&report) {
        return Ok(done());
    }
    let observed: Observed = match session.protocol {
        earlier::PROTOCOL => parse::<earlier::Report>(&report)?.into(),
        _ => parse(&report)?,
    };
    let taken = async {
        let _turn = fleet.inner.reports.turn(node.as_str()).await;
        session.take_in(&report, observed, &led.neighbours.observed).await
    };
    let late = |_| Refusal::unavailable("reports are taken in too slowly now: send it again later");
    timeout(REPORT_WITHIN, taken).await.map_err(late)??;
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

/// A console of a node's machine, for another controller.
pub(super) async fn open_console(
    fleet: &Fleet,
    node: NodeId,
    server: ServerId,
    console: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let console = serde_json::from_value(console.into()).map_err(|_| Refusal::not_found("there is no such console"))?;
    fleet.led()?;
    let typed = Box::pin(BodyDataStream::new(request.into_body()).map_err(io::Error::other));
    let shown = fleet.open_console_here(&node, &server, console, typed).await?;
    Ok(bytes(StatusCode::OK, "application/octet-stream", StreamBody::new(shown.map_ok(Frame::data)).boxed_unsync()))
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
        node::get(tx, &id)?;
        node::changing(tx, &Actor::system("fleet"), "node.connect", &id, |tx| node::set_hello(tx, &id, &hello))
    };
    led.store.write(write).await
}

async fn record_loss(led: &Led, id: &NodeId) -> Result<()> {
    let id = id.clone();
    let write = move |tx: &mut Tx| -> Result<()> {
        // A node that was removed is lost because of that, which is written down already.
        if node::find(tx, &id)?.is_none() {
            return Ok(());
        }
        node::changing(tx, &Actor::system("fleet"), "node.disconnect", &id, |tx| node::set_lost(tx, &id).map(drop))
    };
    led.store.write(write).await
}
