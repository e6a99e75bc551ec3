// SPDX-License-Identifier: Apache-2.0
//! The S3 door, on its own port. What `up` and `status` tell of it stands in a file: the address where it really answers.

use std::{io, net::SocketAddr, sync::Arc};

use ::dashboard::Sandboxed;
use anyhow::Context;
use api::{Limits, Listener, Serves};
use s3door::{Door, Parts};

use super::{Rooms, taken, tls_config};
use crate::{config::Config, home::Home};

/// Ports that are tried where none was asked for by name.
const TRIED: u16 = 8;

/// The port, if the door shall be open. One that nobody asked for by name may be another's: then the next that is free is taken,
/// and told.
pub async fn listen(home: &Home, config: &Config) -> anyhow::Result<Option<Listener>> {
    let Some(first) = config.s3_address() else {
        note(home, "it is turned off: s3.enabled")?;
        return Ok(None);
    };
    let found = match config.s3.listen {
        Some(_) => Some(bind(first, config).await?.with_context(|| taken("s3.listen", &first))?),
        None => beside(first, config).await?,
    };
    match &found {
        Some(listener) => note(home, &config.s3_url_at(listener.tcp.local_addr()?))?,
        None => {
            tracing::warn!(address = %first, "the S3 door stays closed: set s3.listen to an address that is free");
            note(home, &format!("it is closed: the ports from {first} on are taken; set s3.listen to an address that is free"))?;
        }
    }
    Ok(found)
}

async fn beside(first: SocketAddr, config: &Config) -> anyhow::Result<Option<Listener>> {
    for more in 0..TRIED {
        let Some(port) = first.port().checked_add(more) else { break };
        if [config.api.listen.port(), config.fleet.listen.port()].contains(&port) {
            continue;
        }
        match bind(SocketAddr::new(first.ip(), port), config).await? {
            Ok(listener) => return Ok(Some(listener)),
            Err(error) => tracing::info!(port, %error, "this port is not for the S3 door"),
        }
    }
    Ok(None)
}

async fn bind(address: SocketAddr, config: &Config) -> anyhow::Result<io::Result<Listener>> {
    Ok(Listener::bind(address, tls_config(config)?).await)
}

fn note(home: &Home, said: &str) -> anyhow::Result<()> {
    let path = home.s3_address();
    work::durable::write(&path, said.as_bytes()).with_context(|| format!("write {}", path.display()))
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
