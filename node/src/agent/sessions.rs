// SPDX-License-Identifier: Apache-2.0
//! Sessions with controllers: find one that takes them, hold it, and again when it breaks.
//!
//! Of several controllers one takes sessions. The node tries those that it knows, the one that it lost last of all, and
//! learns of others from the one that it finds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::node::{Held, Kind, Thing, ToNode};

use super::Agent;
use crate::{
    Error, Result, board,
    identity::Identity,
    lease::Moment,
    link::{Client, Session},
};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const CERTIFICATE_CLOCK: Duration = Duration::from_secs(12 * 3600);
/// A session that lasted this long began well: the next attempt is made soon.
const SETTLED: Duration = Duration::from_secs(5);

/// Holds sessions until it is dropped.
pub(super) async fn hold(agent: Arc<Agent>, mut identity: Identity) {
    let mut pause = FIRST_PAUSE;
    let mut last = String::new();
    loop {
        let began = Instant::now();
        let outcome = agent.attempt(&mut last, &mut identity).await;
        agent.link.set(None);
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

impl Agent {
    /// Tries each controller once, the one that had the last session last, until one has taken a session.
    async fn attempt(self: &Arc<Self>, last: &mut String, identity: &mut Identity) -> Result<()> {
        let configured = &self.host.config().controllers;
        let mut addresses = if configured.is_empty() { identity.controllers().to_vec() } else { configured.clone() };
        if let Some(lost) = addresses.iter().position(|address| address == last) {
            let lost = addresses.remove(lost);
            addresses.push(lost);
        }
        let mut outcome = Err(Error::Unfit("no controller is configured".into()));
        for address in &addresses {
            let mut began = false;
            outcome = self.converse(address, &mut began, identity).await;
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

    async fn converse(self: &Arc<Self>, address: &str, began: &mut bool, identity: &mut Identity) -> Result<()> {
        let client = Client::connect(address, identity.tls()?).await?;
        // Before the first line: what it tells may need an image at once.
        self.link.set(Some(client.clone()));
        let mut accelerator = self.host.accelerator_changes();
        let datapath = self.switch.as_ref().map(|switch| switch.datapath());
        let asked = Moment::now();
        let mut session = Session::begin(&client, &self.host.hello(datapath, self.held(), self.cloud.database())).await?;
        // The latest line on what is desired that was taken in. A report tells of the machines that the first of them brings, too.
        let (as_of, mut welcomed) = (AtomicU64::new(0), None);
        while as_of.load(Ordering::Acquire) == 0 {
            let line = session.next().await?.ok_or(Error::NotConnected)?;
            if let ToNode::Welcome { lease, .. } = &line {
                welcomed = Some(*lease);
            }
            self.hear(line, &client, asked, &as_of);
        }
        // Not before it was heard what may still run here: it may be another node's by now.
        if let Some(lease) = welcomed {
            self.lease.grant(asked, lease);
        }
        tracing::info!("a session with the controller began");
        *began = true;
        self.keep_controllers(address, identity);
        let listen = async {
            while let Some(line) = session.next().await? {
                self.hear(line, &client, asked, &as_of);
            }
            Ok(())
        };
        tokio::select! {
            heard = listen => heard,
            reported = board::report(&client, &self.board, &as_of) => reported,
            renewed = renew_in_time(&client, identity) => renewed,
            // It is said at the beginning of a session.
            _ = accelerator.changed() => {
                tracing::info!("what this host offers has changed: a session begins anew");
                Ok(())
            }
        }
    }

    fn hear(self: &Arc<Self>, line: ToNode, client: &Client, asked: Moment, as_of: &AtomicU64) {
        match line {
            ToNode::Welcome { node, .. } => self.cloud.settle(node),
            ToNode::Desired { seq, whole, things, database } => {
                let (volumes, machines) = things.into_iter().partition(|thing: &Thing| thing.id.kind == Kind::Volume);
                // Volumes first, so that a machine finds the door open that was told of with it.
                if whole {
                    self.volumes.hear_all(volumes);
                    self.machines.hear_all(machines);
                } else {
                    self.volumes.hear(volumes);
                    self.machines.hear(machines);
                }
                self.cloud.note_database(database);
                as_of.store(seq, Ordering::Release);
            }
            ToNode::Ask { id, ask } => {
                let (client, agent) = (client.clone(), self.clone());
                tokio::spawn(async move {
                    let answer = agent.answer(ask).await;
                    if let Err(error) = client.answer(id, &answer).await {
                        tracing::warn!(error = error.chain(), "an answer did not reach the controller");
                    }
                });
            }
            ToNode::Beat { lease } => self.lease.grant(asked, lease),
        }
    }

    fn held(&self) -> Vec<Held> {
        let mut held = self.machines.held();
        held.extend(self.volumes.held());
        held
    }

    /// For the next start of the agent.
    fn keep_controllers(&self, found_at: &str, identity: &mut Identity) {
        let mut told = self.cloud.controllers();
        // Whatever the controllers think that they are called: this is where one was found.
        if !told.is_empty() && !told.iter().any(|known| known == found_at) {
            told.push(found_at.to_owned());
        }
        if let Err(error) = identity.know_controllers(told) {
            tracing::warn!(error = error.chain(), "the controllers that were told of are not kept");
        }
    }
}

/// Has the certificate renewed whenever a third of its life is left; returns only if that fails.
async fn renew_in_time(client: &Client, identity: &mut Identity) -> Result<()> {
    loop {
        let credentials = identity.credentials()?;
        if credentials.wants_renewal() {
            *identity = identity.renewed(client.renew(&credentials).await?)?;
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
