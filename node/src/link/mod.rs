// SPDX-License-Identifier: Apache-2.0
//! The link to a controller: connect, hold a session, and again when it breaks.
//!
//! Of several controllers one takes sessions. The node tries those that it knows, the one that it lost last of all, and
//! learns of others from the one that it finds.

mod client;
mod reporter;
mod session;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{Error, NodeConfig, Result, host::Host, identity::Identity, machines::Machines};

pub(crate) use client::{Client, Sent};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const CERTIFICATE_CLOCK: Duration = Duration::from_secs(12 * 3600);
/// A session that lasted this long began well: the next attempt is made soon.
const SETTLED: Duration = Duration::from_secs(5);

/// The connection as others use it, when there is one.
#[derive(Clone)]
pub(crate) struct Link {
    current: watch::Sender<Option<Client>>,
    /// The controllers that the session told of.
    told: Arc<Mutex<Vec<String>>>,
}

impl Link {
    pub fn new() -> Self {
        Self { current: watch::Sender::new(None), told: Arc::default() }
    }

    pub fn client(&self) -> Result<Client> {
        self.current.borrow().clone().ok_or(Error::NotConnected)
    }

    pub fn note_controllers(&self, controllers: &[String]) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = controllers.to_vec();
    }

    /// Holds sessions until it is dropped.
    pub async fn run(&self, mut identity: Identity, config: &NodeConfig, host: Arc<Host>, machines: Machines) {
        let mut pause = FIRST_PAUSE;
        let mut last = String::new();
        loop {
            let began = std::time::Instant::now();
            let outcome = self.attempt(&mut last, &mut identity, config, &host, &machines).await;
            self.current.send_replace(None);
            if began.elapsed() > SETTLED {
                pause = FIRST_PAUSE;
            }
            match outcome {
                Ok(()) => tracing::info!("the controller ended the session"),
                Err(error) => tracing::warn!(error = error.chain(), "there is no session with a controller; trying again"),
            }
            tokio::time::sleep(with_jitter(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tries each controller once, the one that had the last session last, until one has taken a session.
    async fn attempt(
        &self,
        last: &mut String,
        identity: &mut Identity,
        config: &NodeConfig,
        host: &Arc<Host>,
        machines: &Machines,
    ) -> Result<()> {
        let addresses = if config.controllers.is_empty() { identity.controllers() } else { &config.controllers };
        let mut addresses = addresses.to_vec();
        if let Some(lost) = addresses.iter().position(|address| address == last) {
            let lost = addresses.remove(lost);
            addresses.push(lost);
        }
        let mut outcome = Err(Error::Unfit("no controller is configured".into()));
        for address in &addresses {
            let mut began = false;
            outcome = self.hold(address, &mut began, identity, host, machines).await;
            if began {
                last.clone_from(address);
                break;
            }
            if let (Err(error), 2..) = (&outcome, addresses.len()) {
                tracing::info!(address, error = error.chain(), "this controller takes no session");
            }
        }
        outcome
    }

    async fn hold(
        &self,
        address: &str,
        began: &mut bool,
        identity: &mut Identity,
        host: &Arc<Host>,
        machines: &Machines,
    ) -> Result<()> {
        let client = Client::connect(address, identity.tls()?).await?;
        // Before the first line: what it tells may need an image at once.
        self.current.send_replace(Some(client.clone()));
        let mut accelerator = host.accelerator_changes();
        let lines = session::begin(&client, host, machines).await?;
        *began = true;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Whatever the controllers think that they are called: this is where one was found.
        if !told.is_empty() && !told.iter().any(|known| known == address) {
            told.push(address.to_owned());
        }
        if let Err(error) = identity.know_controllers(told) {
            tracing::warn!(error = error.chain(), "the controllers that were told of are not kept");
        }
        tokio::select! {
            held = session::hold(lines, client.clone(), host, machines) => held,
            renewed = renew_in_time(&client, identity) => renewed,
            // It is said at the beginning of a session.
            _ = accelerator.changed() => {
                tracing::info!("what this host offers has changed: a session begins anew");
                Ok(())
            }
        }
    }
}

/// Has the certificate renewed whenever a third of its life is left; returns only if that fails.
async fn renew_in_time(client: &Client, identity: &mut Identity) -> Result<()> {
    loop {
        if identity.wants_renewal() {
            *identity = client.renew(identity).await?;
            tracing::info!("the node's certificate was renewed");
        }
        tokio::time::sleep(CERTIFICATE_CLOCK).await;
    }
}

/// A thousand nodes that lost the same controller do not come back at the same instant.
fn with_jitter(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    pause.mul_f64(0.5 + f64::from(random) / 256.0)
}
