// SPDX-License-Identifier: Apache-2.0
//! The S3 door, on its own port.

use std::sync::Arc;

use ::dashboard::Sandboxed;
use anyhow::Context;
use api::{Limits, Listener, Serves};
use s3door::{Door, Parts};

use super::{Rooms, taken, tls_config};
use crate::config::Config;

/// The port, if the door shall be open. One that nobody asked for by name may be another's: then the cloud does without.
pub async fn listen(config: &Config) -> anyhow::Result<Option<Listener>> {
    let Some(address) = config.s3_address() else { return Ok(None) };
    match (Listener::bind(address, tls_config(config)?).await, config.s3.listen) {
        (Ok(listener), _) => Ok(Some(listener)),
        (Err(error), Some(_)) => Err(error).with_context(|| taken("s3.listen", &address)),
        (Err(error), None) => {
            tracing::warn!(%address, %error, "the S3 door stays closed: set s3.listen to an address that is free");
            Ok(None)
        }
    }
}

pub fn door(rooms: &Rooms, config: &Config, limits: Limits) -> Arc<dyn Serves> {
    let door = Door::new(Parts {
        objects: Arc::new(rooms.objects.buckets(rooms.policies.clone())),
        keys: rooms.identity.clone(),
        limits,
        region: config.api.region.clone(),
        domain: config.s3.domain.clone(),
    });
    // A browser's cookies know no ports: what lies here must not be taken for the menus' own, either.
    Arc::new(Sandboxed(Arc::new(door)))
}
