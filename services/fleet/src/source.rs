// SPDX-License-Identifier: Apache-2.0
//! What is wanted of a node, joined from the rooms that want things of it, and what it found, for each of them: one room for each
//! kind.

use std::sync::Arc;

use contracts::{
    Refusal,
    node::{Thing, ThingId},
    nodes::{DesiredSource, ObservedSink, Report},
};
use futures_util::future::try_join_all;
use types::NodeId;

pub(crate) async fn all(sources: &[Arc<dyn DesiredSource>], node: &NodeId) -> Result<Vec<Thing>, Refusal> {
    Ok(try_join_all(sources.iter().map(|source| source.all(node))).await?.concat())
}

pub(crate) async fn changed(
    sources: &[Arc<dyn DesiredSource>],
    node: &NodeId,
    things: &[ThingId],
) -> Result<Vec<Thing>, Refusal> {
    let asked = sources.iter().map(async |source| {
        let own: Vec<ThingId> = things.iter().filter(|thing| thing.kind == source.kind()).cloned().collect();
        if own.is_empty() { Ok(Vec::new()) } else { source.changed(node, &own).await }
    });
    Ok(try_join_all(asked).await?.concat())
}

/// Tells each room what was found of its own kind. A room that took it in is told again if another did not.
pub(crate) async fn observed(rooms: &[Arc<dyn ObservedSink>], node: &NodeId, report: &Report) -> Result<(), Refusal> {
    for room in rooms {
        if let Some(own) = report.of(room.kind()) {
            room.observed(node, &own).await?;
        }
    }
    Ok(())
}
