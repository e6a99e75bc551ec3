// SPDX-License-Identifier: Apache-2.0
//! The menus before the door of the APIs.

use std::sync::Arc;

use ::dashboard::{Dashboard, Parts, WEBSSO};
use api::{Door, Serves};
use identity::FederationSettings;
use tokio::sync::watch;

use super::Rooms;
use crate::{config::Config, operator};

pub fn before(door: Arc<Door>, rooms: &Rooms, config: &Config, stopping: watch::Receiver<bool>) -> Arc<dyn Serves> {
    if !config.dashboard.enabled {
        return door;
    }
    Arc::new(Dashboard::new(Parts {
        prefixes: door.prefixes().collect(),
        door,
        authenticator: rooms.identity.clone(),
        policies: rooms.policies.clone(),
        store: rooms.store.clone(),
        hears_all: operator::HEARS_ALL,
        event_limits: config.limits.events(),
        public_url: config.public_url(),
        region: config.api.region.clone(),
        stopping,
    }))
}

/// What the operator says of identity providers; our own menus are a dashboard that is trusted.
pub fn federation(config: &Config) -> anyhow::Result<FederationSettings> {
    let mut settings = config.federation.settings(config.public_url())?;
    if config.dashboard.enabled {
        settings.trusted_dashboards.push(format!("{}{WEBSSO}", config.public_url()));
    }
    Ok(settings)
}
