// SPDX-License-Identifier: Apache-2.0
//! The work that shows outside, done by the one controller that has the lead: reconcilers, what is written to OVN, the
//! sessions of nodes, imports of images. Everything else every controller does.

use std::time::Duration;

use serde_json::json;
use store::{
    Actor, Change, Event,
    lead::{Controller, Lead},
};
use work::Tasks;

use super::{Rooms, forget};
use crate::config::{Config, Events};

const RETRY: Duration = Duration::from_secs(1);

/// This controller as the others know it.
pub(super) fn controller(config: &Config) -> Controller {
    let addresses = config.fleet.addresses();
    Controller { name: addresses.first().cloned().unwrap_or_default(), addresses }
}

/// Waits for the lead, works until it is lost, and waits again. Ends when it is dropped, and the work with it.
pub(super) async fn whenever_it_is_ours(rooms: &Rooms, controller: &Controller, events: &Events) {
    loop {
        match rooms.store.take_lead(controller).await {
            Ok(lead) => work_while_ours(rooms, controller, events, lead).await,
            Err(error) => tracing::error!(%error, "the lead cannot be taken; trying again"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn work_while_ours(rooms: &Rooms, controller: &Controller, events: &Events, mut lead: Lead) {
    let generation = lead.generation();
    let led = rooms.led(rooms.store.led(&lead));
    tracing::info!(generation, "this controller has the lead");
    let leading =
        fleet::Leading { store: led.store.clone(), placement: led.placement.clone(), neighbours: led.node_neighbours() };
    let mut work = Tasks::new(rooms.board.clone());
    work.spawn(fleet::Fleet::clone(&led.fleet).lead(leading));
    led.image.spawn(&mut work);
    led.objects.spawn(&mut work);
    led.network.spawn(&mut work);
    led.compute.spawn_reconcilers(&mut work);
    led.volume.spawn_reconcilers(&mut work);
    led.balancers.spawn_reconcilers(&mut work);
    work.spawn(forget::keep_forgetting(led.store.clone(), events.clone()));
    work.spawn(record(led, controller.name.clone(), generation));
    lead.lost().await;
    tracing::warn!(generation, "this controller has lost the lead");
    work.end().await;
}

/// Leaves the event of a lead that was taken.
async fn record(led: Rooms, controller: String, generation: i64) {
    let recorded = led.store.write(move |tx| {
        let taken = Change::made(json!({"controller": controller, "generation": generation}));
        let lead = ("lead", &*generation.to_string());
        tx.record(Event::of(&Actor::system("controller"), "lead.take", lead, &taken)?)
    });
    if let Err(error) = recorded.await {
        tracing::warn!(%error, "that this controller took the lead left no event");
    }
}
