// SPDX-License-Identifier: Apache-2.0
//! The link to a controller: connect, hold a session, and again when it breaks.

mod client;
mod reporter;
mod session;

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{Error, NodeConfig, Result, host::Host, identity::Identity, machines::Machines};

pub(crate) use client::Client;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const CERTIFICATE_CLOCK: Duration = Duration::from_secs(12 * 3600);
/// A session that lasted this long began well: the next attempt is made soon.
const SETTLED: Duration = Duration::from_secs(30);

/// The connection as others use it, when there is one.
#[derive(Clone)]
pub(crate) struct Link {
    current: watch::Sender<Option<Client>>,
}

impl Link {
    pub fn new() -> Self {
        Self { current: watch::Sender::new(None) }
    }

    pub fn client(&self) -> Result<Client> {
        self.current.borrow().clone().ok_or(Error::NotConnected)
    }

    /// Holds sessions until it is dropped.
    pub async fn run(&self, mut identity: Identity, config: &NodeConfig, host: Arc<Host>, machines: Machines) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = std::time::Instant::now();
            let outcome = self.attempt(&mut identity, config, &host, &machines).await;
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

    async fn attempt(&self, identity: &mut Identity, config: &NodeConfig, host: &Arc<Host>, machines: &Machines) -> Result<()> {
        let addresses = if config.controllers.is_empty() { identity.controllers() } else { &config.controllers };
        let mut outcome = Err(Error::Unfit("no controller is configured".into()));
        for address in addresses {
            outcome = Client::connect(address, identity.tls()?).await;
            if outcome.is_ok() {
                break;
            }
        }
        let client = outcome?;
        self.current.send_replace(Some(client.clone()));
        tokio::select! {
            held = session::hold(client.clone(), host, machines) => held,
            renewed = renew_in_time(&client, identity) => renewed,
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
