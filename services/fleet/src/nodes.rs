// SPDX-License-Identifier: Apache-2.0
//! The door by which the other rooms reach the nodes.

use contracts::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{Answer, Ask, Console, Stream, ThingId, Ticket},
    nodes::{NodeFacts, Nodes},
};
use store::{Actor, Tx};
use types::{NodeId, ServerId};

use crate::{Error, Fleet, Result, node};

impl Nodes for Fleet {
    fn list(&self) -> BoxFuture<'_, Result<Vec<NodeFacts>, Refusal>> {
        Box::pin(async { self.list_nodes().await.map_err(Error::into_refusal) })
    }

    fn get<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Option<NodeFacts>, Refusal>> {
        Box::pin(async move {
            let id = node.clone();
            let row = self.inner.store.read(move |tx| node::find(tx, &id)).await.map_err(Error::into_refusal)?;
            Ok(row.map(|row| self.facts(row)))
        })
    }

    fn set_disabled<'a>(
        &'a self,
        node: &'a NodeId,
        reason: Option<String>,
        disabled: bool,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { self.write_disabled(node, reason, disabled).await.map_err(Error::into_refusal) })
    }

    fn tell(&self, node: &NodeId, things: &[ThingId]) {
        if let Some(session) = self.inner.sessions.of(node) {
            session.touched.these(things);
        }
    }

    fn wake(&self, node: &NodeId) {
        if let Some(session) = self.inner.sessions.of(node) {
            session.touched.all();
        }
    }

    fn ticket(&self, node: &NodeId, stream: &Stream) -> Ticket {
        self.inner.tickets.ticket(node, stream)
    }

    fn ask<'a>(&'a self, node: &'a NodeId, ask: Ask) -> BoxFuture<'a, Result<Answer, Refusal>> {
        Box::pin(async move {
            match self.led() {
                Ok(_) => self.ask_here(node, ask).await,
                Err(_) => self.forward(node, &ask).await.map_err(Error::into_refusal),
            }
        })
    }

    fn open_console<'a>(
        &'a self,
        node: &'a NodeId,
        server: &'a ServerId,
        console: Console,
        typed: Chunks,
    ) -> BoxFuture<'a, Result<Chunks, Refusal>> {
        Box::pin(async move {
            match self.led() {
                Ok(_) => self.open_console_here(node, server, console, typed).await,
                Err(_) => self.forward_console(node, server, console, typed).await.map_err(Error::into_refusal),
            }
        })
    }
}

impl Fleet {
    /// Asks a node that has a session with this controller.
    pub(crate) async fn ask_here(&self, node: &NodeId, ask: Ask) -> Result<Answer, Refusal> {
        let session = self.inner.sessions.of(node);
        let session = session.ok_or_else(|| Refusal::unavailable(format!("node {node} is not connected")))?;
        match session.ask(ask).await? {
            Answer::Refused { message } => Err(Refusal::not_found(message)),
            answer => Ok(answer),
        }
    }

    async fn write_disabled(&self, id: &NodeId, reason: Option<String>, disabled: bool) -> Result<()> {
        let node = id.clone();
        let write = move |tx: &mut Tx| -> Result<()> {
            node::get(tx, &node)?;
            node::changing(tx, &Actor::system("fleet"), "node.update", &node, |tx| {
                node::set_disabled(tx, &node, reason.as_deref(), disabled)
            })
        };
        self.inner.store.write(write).await?;
        self.changed(id.clone());
        Ok(())
    }
}
