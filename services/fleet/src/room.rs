// SPDX-License-Identifier: Apache-2.0
//! The room itself: its operator verbs, and its life from start to end.

use std::{
    future::Future,
    sync::{Arc, OnceLock, RwLock},
    time::Duration,
};

use bounds::Line;
use contracts::{
    Refusal,
    join::JoinToken,
    nodes::{NodeFacts, NodeNeighbours},
    placement::Placement,
};
use store::{Actor, Change, Event, Store, Tx};
use tokio::net::TcpListener;
use types::{NodeId, Timestamp};

use crate::{
    FleetConfig, Result, TlsFiles,
    authority::Authority,
    certificate,
    leading::Led,
    listener, node,
    session::Sessions,
    source,
    stream::{Streams, Tickets},
    token::{self, NewToken},
};

/// How often our certificate is renewed while we run; it is at every start, too.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);
const DAY_IN_MICROSECONDS: i64 = 24 * 3600 * 1_000_000;
/// The tables have one writer.
const REPORTS_AT_ONCE: usize = 32;
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// The fleet. Clones are the same room.
#[derive(Clone)]
pub struct Fleet {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub store: Store,
    pub config: FleetConfig,
    pub authority: Authority,
    pub placement: Arc<dyn Placement>,
    pub neighbours: OnceLock<NodeNeighbours>,
    pub sessions: Sessions,
    pub tickets: Tickets,
    pub streams: Streams,
    /// Nodes go by turns.
    pub reports: Line,
    /// While this controller has the lead.
    pub led: RwLock<Option<Arc<Led>>>,
}

impl Fleet {
    /// Opens the room on tables that are migrated. Makes the authority the first time, which reads and writes files.
    pub fn open(store: Store, config: FleetConfig, placement: Arc<dyn Placement>) -> Result<Self> {
        let authority = Authority::open(&config.state_dir)?;
        authority.renew_controller(&config.addresses)?;
        let (key, limits) = (authority.key_for("streams"), config.limits);
        let inner = Inner {
            store,
            config,
            authority,
            placement,
            neighbours: OnceLock::new(),
            sessions: Sessions::default(),
            tickets: Tickets::new(key),
            streams: Streams::new(limits),
            reports: Line::new(REPORTS_AT_ONCE, 1),
            led: RwLock::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Certificates for other daemons of this controller, signed by the authority that the nodes trust.
    pub fn tls_files(&self) -> TlsFiles {
        self.inner.authority.files()
    }

    /// Serves nodes until `stop` is ready; their sessions only while this controller leads ([`Fleet::lead`]).
    pub async fn serve(&self, tcp: TcpListener, neighbours: NodeNeighbours, stop: impl Future<Output = ()>) -> Result<()> {
        let tls = self.inner.authority.server_tls()?;
        let _ = self.inner.neighbours.set(neighbours);
        let renew = async {
            loop {
                tokio::time::sleep(RENEWAL).await;
                let renewed = self.inner.authority.renew_controller(&self.inner.config.addresses);
                if let Err(error) = renewed.and_then(|()| self.inner.authority.reload(&tls)) {
                    tracing::error!(error = &error as &dyn std::error::Error, "the controller's certificate was not renewed");
                }
            }
        };
        tokio::select! {
            () = listener::accept(self.clone(), tcp, tls.config.clone()) => {}
            () = renew => {}
            () = stop => {}
        }
        self.inner.sessions.end_those(|_| true);
        Ok(())
    }

    /// A word that lets one host join within the configured time.
    pub async fn create_join_token(&self, actor: Actor) -> Result<JoinToken> {
        let new = Arc::new(NewToken::generate()?);
        let expires_at = Timestamp::now().plus(self.inner.config.token_life());
        let row = new.clone();
        let write = move |tx: &mut Tx| -> Result<()> {
            token::remove_expired(tx)?;
            token::insert(tx, &row, expires_at)?;
            let change = Change::made(serde_json::json!({ "expires_at": expires_at.zulu() }));
            Ok(tx.record(Event::of(&actor, "node.token.create", ("node_token", &row.id), &change)?)?)
        };
        self.inner.store.write(write).await?;
        Ok(JoinToken {
            addresses: self.controllers().await?,
            authority: self.inner.authority.fingerprint().to_owned(),
            secret: new.secret.clone(),
        })
    }

    pub async fn list_nodes(&self) -> Result<Vec<NodeFacts>> {
        let rows = self.inner.store.list(node::all).await?;
        Ok(rows.into_iter().map(|row| self.facts(row)).collect())
    }

    /// Expels a node: its certificates are revoked and its connection ends. Refused while machines shall be on it.
    pub async fn remove_node(&self, id: &NodeId, actor: Actor) -> Result<()> {
        if let Some(neighbours) = self.inner.neighbours.get() {
            let things = source::all(&neighbours.desired, id).await?;
            let wanted = things.iter().filter(|thing| !thing.is_released()).count();
            if wanted > 0 {
                let message = format!("{wanted} servers are on this node; delete or move them first");
                return Err(Refusal::conflict(message).into());
            }
        }
        self.inner.placement.release_provider(id).await?;
        let node = id.clone();
        let write = move |tx: &mut Tx| -> Result<()> {
            node::get(tx, &node)?;
            certificate::revoke_all(tx, &node)?;
            node::changing(tx, &actor, "node.remove", &node, |tx| node::delete(tx, &node))
        };
        self.inner.store.write(write).await?;
        if let Some(session) = self.inner.sessions.of(id) {
            session.end();
        }
        // Once more: the node may have said hello in between, and its host may want to join anew under the same name.
        Ok(self.inner.placement.release_provider(id).await?)
    }

    pub(crate) fn facts(&self, row: node::Row) -> NodeFacts {
        let Ok(led) = self.led() else { return row.into_facts() };
        let session = self.inner.sessions.of(&row.id);
        row.into_facts_of_lead(session.as_deref(), led.since)
    }

    /// Where nodes reach the controllers: this one first, then those that were heard of within a day.
    pub(crate) async fn controllers(&self) -> Result<Vec<String>> {
        let yesterday = Timestamp(Timestamp::now().0.saturating_sub(DAY_IN_MICROSECONDS));
        let mut addresses = self.inner.config.addresses.clone();
        for seen in self.inner.store.controllers().await?.into_iter().filter(|seen| seen.at > yesterday) {
            addresses.extend(seen.controller.addresses);
        }
        let mut known = std::collections::HashSet::new();
        addresses.retain(|address| known.insert(address.clone()));
        Ok(addresses)
    }
}
