// SPDX-License-Identifier: Apache-2.0
//! The work that shows outside, done by the one controller that has the lead: reconcilers, what is written to OVN, the
//! sessions of nodes, imports of images. Everything else every controller does.

use std::time::Duration;

use serde_json::json;
use store::{
    Actor, Event,
    lead::{Controller, Lead},
};
use tokio::task::JoinHandle;

use super::Rooms;
use crate::config::Config;

const RETRY: Duration = Duration::from_secs(1);

/// This controller as the others know it.
pub(super) fn controller(config: &Config) -> Controller {
    let addresses = config.fleet.addresses();
    Controller { name: addresses.first().cloned().unwrap_or_default(), addresses }
}

/// Waits for the lead, works until it is lost, and waits again. Ends when it is dropped, and the work with it.
pub(super) async fn whenever_it_is_ours(rooms: &Rooms, controller: &Controller) {
    loop {
        match rooms.store.take_lead(controller).await {
            Ok(lead) => work_while_ours(rooms, controller, lead).await,
            Err(error) => tracing::error!(%error, "the lead cannot be taken; trying again"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn work_while_ours(rooms: &Rooms, controller: &Controller, mut lead: Lead) {
    let generation = lead.generation();
    let led = rooms.led(rooms.store.led(&lead));
    tracing::info!(generation, "this controller has the lead");
    let leading =
        fleet::Leading { store: led.store.clone(), placement: led.placement.clone(), neighbours: led.node_neighbours() };
    let mut work = Work(vec![tokio::spawn(fleet::Fleet::clone(&led.fleet).lead(leading))]);
    for started in [led.image.spawn(), led.network.spawn(), led.compute.spawn_reconcilers()] {
        work.0.extend(started);
    }
    work.0.push(tokio::spawn(record(led, controller.name.clone(), generation)));
    lead.lost().await;
    tracing::warn!(generation, "this controller has lost the lead");
    work.end().await;
}

/// Leaves the event of a lead that was taken.
async fn record(led: Rooms, controller: String, generation: i64) {
    let recorded = led.store.write(move |tx| {
        tx.record(Event {
            actor: Actor::system("controller"),
            action: "lead.take".to_owned(),
            resource_type: "lead",
            resource_id: generation.to_string(),
            project_id: None,
            before: None,
            after: Some(json!({"controller": controller, "generation": generation})),
        })
    });
    if let Err(error) = recorded.await {
        tracing::warn!(%error, "that this controller took the lead left no event");
    }
}

/// Tasks that end when this is dropped.
struct Work(Vec<JoinHandle<()>>);

impl Work {
    /// Ends them and waits until each has.
    async fn end(mut self) {
        for task in &self.0 {
            task.abort();
        }
        for task in self.0.drain(..) {
            let _ = task.await;
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
