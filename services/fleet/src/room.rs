// SPDX-License-Identifier: Apache-2.0
//! The room itself: its operator verbs, and its life from start to end.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use contracts::{
    Refusal,
    join::JoinToken,
    nodes::{NodeFacts, NodeNeighbours},
    placement::Placement,
};
use store::{Actor, Event, Store, Tx};
use tokio::{net::TcpListener, sync::mpsc};
use types::{NodeId, Timestamp};

use crate::{
    Error, FleetConfig, Result, TlsFiles,
    authority::Authority,
    certificate, listener, node,
    session::Sessions,
    token::{self, NewToken},
};

/// How often our certificate is renewed while we run; it is at every start, too.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);
const RETRY: Duration = Duration::from_secs(1);

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
    /// Nodes that connected or were lost, to be told to the neighbours.
    changed: mpsc::UnboundedSender<NodeId>,
    to_announce: std::sync::Mutex<Option<mpsc::UnboundedReceiver<NodeId>>>,
}

impl Fleet {
    /// Opens the room on tables that are migrated. Makes the authority the first time, which reads and writes files.
    pub fn open(store: Store, config: FleetConfig, placement: Arc<dyn Placement>) -> Result<Self> {
        let authority = Authority::open(&config.state_dir)?;
        authority.renew_controller(&config.addresses)?;
        let (changed, to_announce) = mpsc::unbounded_channel();
        let inner = Inner {
            store,
            config,
            authority,
            placement,
            neighbours: OnceLock::new(),
            sessions: Sessions::default(),
            changed,
            to_announce: std::sync::Mutex::new(Some(to_announce)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Certificates for other daemons of this controller, signed by the authority that the nodes trust.
    pub fn tls_files(&self) -> TlsFiles {
        self.inner.authority.files()
    }

    /// Serves nodes until `stop` is ready.
    pub async fn serve(&self, tcp: TcpListener, neighbours: NodeNeighbours, stop: impl Future<Output = ()>) -> Result<()> {
        let tls = self.inner.authority.server_tls()?;
        let _ = self.inner.neighbours.set(neighbours);
        let to_announce = self.inner.to_announce.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
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
            () = self.announce(to_announce) => {}
            () = renew => {}
            () = stop => {}
        }
        self.inner.sessions.end_all();
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
            let after = serde_json::json!({ "expires_at": expires_at.zulu() });
            Ok(tx.record(event(&actor, "node.token.create", "node_token", &row.id, None, Some(after)))?)
        };
        self.inner.store.write(write).await?;
        Ok(JoinToken {
            addresses: self.inner.config.addresses.clone(),
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
            let machines = neighbours.desired.machines(id).await?;
            if !machines.is_empty() {
                let message = format!("{} servers are on this node; delete or move them first", machines.len());
                return Err(Refusal::conflict(message).into());
            }
        }
        self.inner.placement.release_provider(id).await?;
        let node = id.clone();
        let write = move |tx: &mut Tx| -> Result<()> {
            let row = node::get(tx, &node)?;
            certificate::revoke_all(tx, &node)?;
            node::delete(tx, &node)?;
            let before = serde_json::json!({ "hostname": row.hostname });
            Ok(tx.record(event(&actor, "node.remove", "node", node.as_str(), Some(before), None))?)
        };
        self.inner.store.write(write).await?;
        if let Some(session) = self.inner.sessions.of(id) {
            session.end();
        }
        // Once more: the node may have said hello in between, and its host may want to join anew under the same name.
        Ok(self.inner.placement.release_provider(id).await?)
    }

    pub(crate) fn facts(&self, row: node::Row) -> NodeFacts {
        let up = self.inner.sessions.of(&row.id).is_some();
        row.into_facts(up)
    }

    pub(crate) fn neighbours(&self) -> Result<&NodeNeighbours> {
        let neighbours = self.inner.neighbours.get();
        neighbours.ok_or_else(|| Refusal::unavailable("the controller is still starting").into())
    }

    /// Tells the neighbours, soon, that this node connected or was lost.
    pub(crate) fn changed(&self, node: NodeId) {
        let _ = self.inner.changed.send(node);
    }

    /// Says what is now, not what happened: so it may be said late, twice or once for several changes.
    async fn announce(&self, to_announce: Option<mpsc::UnboundedReceiver<NodeId>>) {
        let Some(mut to_announce) = to_announce else { return std::future::pending().await };
        while let Some(id) = to_announce.recv().await {
            if let Err(error) = self.announce_one(&id).await {
                if matches!(&error, Error::Refused(refusal) if !refusal.is_transient()) {
                    continue;
                }
                tracing::warn!(node = %id, error = &error as &dyn std::error::Error, "a node's change is announced later");
                let changed = self.inner.changed.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(RETRY).await;
                    let _ = changed.send(id);
                });
            }
        }
    }

    async fn announce_one(&self, id: &NodeId) -> Result<()> {
        let id = id.clone();
        let facts = self.facts(self.inner.store.read(move |tx| node::get(tx, &id)).await?);
        self.ensure_provider(&facts).await?;
        Ok(self.neighbours()?.observed.node_changed(&facts).await?)
    }

    /// Makes placement know what the node offers, once the node has said it.
    pub(crate) async fn ensure_provider(&self, facts: &NodeFacts) -> Result<()> {
        let Some(hello) = &facts.hello else { return Ok(()) };
        let inventories = node::inventories(hello, self.inner.config.vcpu_ratio);
        let traits = node::traits(hello, facts.disabled);
        Ok(self.inner.placement.ensure_provider(&facts.id, &facts.hostname, &inventories, &traits).await?)
    }
}

pub(crate) fn event(
    actor: &Actor,
    action: &str,
    resource_type: &'static str,
    id: &str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Event {
    Event { actor: actor.clone(), action: action.into(), resource_type, resource_id: id.into(), project_id: None, before, after }
}
