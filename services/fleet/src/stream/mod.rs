// SPDX-License-Identifier: Apache-2.0
//! Streams of bytes: to nodes, from nodes, and from node to node. One door, one set of limits, one way in which each is slowed
//! down by its reader: nothing is kept here but the pieces that are under way.

mod console;
mod image;
mod relay;
mod ticket;

use std::{io, time::Duration};

use bounds::{Line, Overdue, Pace, PacedBody, Turn};
use contracts::{Refusal, node::Stream, nodes::SnapshotSink};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyDataStream, BodyExt};
use hyper::body::{Body as _, Incoming};
use types::{ImageId, NodeId};

use crate::{
    Fleet, Limits, Result,
    listener::{Body, bytes, done},
};

pub(crate) use image::send as send_image;
pub(crate) use ticket::Tickets;

/// How long a node waits for its turn before it is told to ask again.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Streams {
    line: Line,
    relay: relay::Relay,
    consoles: console::Consoles,
}

impl Streams {
    pub fn new(limits: Limits) -> Self {
        Self {
            line: Line::new(limits.streams, limits.streams_per_node),
            relay: relay::Relay::default(),
            consoles: console::Consoles::default(),
        }
    }

    /// Streams go by turns of their nodes.
    async fn turn(&self, node: &NodeId) -> Result<Turn> {
        let refused = |overdue| match overdue {
            Overdue::OfOwner { most } => format!("this node has {most} streams open, which is the most: ask again later"),
            Overdue::OfAll { most } => format!("{most} streams are open, which is the most: ask again later"),
        };
        let turn = self.line.turn_within(node.as_str(), PATIENCE).await;
        Ok(turn.map_err(|overdue| Refusal::unavailable(refused(overdue)))?)
    }
}

/// What the node reads by this ticket.
pub(crate) async fn send(fleet: &Fleet, node: NodeId, word: &str) -> Result<Response<Body>> {
    match fleet.inner.tickets.open(&node, word) {
        Some(Stream::Image { sha512 }) => send_image(fleet, node, &sha512).await,
        Some(Stream::DiskIn { transfer }) => {
            fleet.led()?;
            fleet.inner.streams.relay.receive(&fleet.inner.streams, &node, &transfer).await
        }
        _ => Err(not_found()),
    }
}

/// What the node sends by this ticket.
pub(crate) async fn take(fleet: &Fleet, node: NodeId, word: &str, request: Request<Incoming>) -> Result<Response<Body>> {
    match fleet.inner.tickets.open(&node, word) {
        Some(Stream::Snapshot { image_id }) => take_snapshot(fleet, node, &image_id, request).await,
        Some(Stream::VolumeCopy { image_id, .. }) => {
            let sink = fleet.led()?.neighbours.volume_copies.clone();
            take_image(fleet, node, &image_id, request, &*sink).await
        }
        Some(Stream::DiskOut { transfer }) => {
            fleet.led()?;
            let body = request.into_body();
            let length = body.size_hint().exact();
            let body = PacedBody::new(body.map_err(io::Error::other), Pace::default()).boxed_unsync();
            fleet.inner.streams.relay.send(&transfer, body, length).await?;
            Ok(done())
        }
        _ => Err(not_found()),
    }
}

/// What goes both ways by this ticket.
pub(crate) fn join(fleet: &Fleet, node: &NodeId, word: &str, request: Request<Incoming>) -> Result<Response<Body>> {
    match fleet.inner.tickets.open(node, word) {
        Some(Stream::Console { opening }) => fleet.inner.streams.consoles.join(&opening, request).ok_or_else(not_found),
        _ => Err(not_found()),
    }
}

/// The disk of a machine, from the node that was asked for it.
pub(crate) async fn take_snapshot(
    fleet: &Fleet,
    node: NodeId,
    image: &ImageId,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let sink = fleet.led()?.neighbours.snapshots.clone();
    take_image(fleet, node, image, request, &*sink).await
}

async fn take_image(
    fleet: &Fleet,
    node: NodeId,
    image: &ImageId,
    request: Request<Incoming>,
    sink: &dyn SnapshotSink,
) -> Result<Response<Body>> {
    let _turn = fleet.inner.streams.turn(&node).await?;
    let body = PacedBody::new(request.into_body().map_err(io::Error::other), Pace::default());
    let chunks = BodyDataStream::new(body);
    sink.take_snapshot(&node, image, Box::pin(chunks)).await?;
    Ok(done())
}

/// To a stranger's ticket the same is said as to none.
fn not_found() -> crate::Error {
    Refusal::not_found("this opens no stream to this node").into()
}

fn answer(body: Body) -> Response<Body> {
    bytes(StatusCode::OK, "application/octet-stream", body)
}
