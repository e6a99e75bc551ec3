// SPDX-License-Identifier: Apache-2.0
//! The password of a guest's administrator, as cloudbase-init makes it: the guest encrypts it with its owner's public key
//! and says so once, by its metadata; the owner reads it at `/servers/{id}/os-server-password` and decrypts it.
//!
//! Invariant: a guest sets its own password, once, and nobody else's (test: `a_guest_says_its_password_once`).

use std::sync::Arc;

use api::{Cx, Reply};
use contracts::{BoxFuture, Refusal, node::GuestPassword, nodes::PasswordSink};
use http::StatusCode;
use serde_json::json;
use store::Actor;
use types::{NodeId, Secret, ServerId};

use super::{Server, guard::Guard, save::save, table};
use crate::{
    Compute,
    error::{Error, Result},
};

/// Empty while there is none.
pub(super) async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let guard = Guard::of(&cx)?;
    let server = room.store.read(move |tx| guard.find(tx)).await?;
    let password = server.guest_password.as_ref().map_or("", |password| password.reveal().as_str());
    api::json(StatusCode::OK, &json!({"password": password}))
}

/// Forgets it here; in the guest nothing changes. The guest may then say another one.
pub(super) async fn clear(room: Arc<Compute>, cx: Cx) -> Reply {
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.find(tx)?;
            let after = Server { guest_password: None, ..before.clone() };
            if before.guest_password.is_none() {
                Ok(None)
            } else {
                save(tx, &actor, "server.guest_password.clear", &before, after).map(Some)
            }
        })
        .await?;
    saved.iter().for_each(|saved| room.tell(saved));
    api::no_content()
}

impl PasswordSink for Compute {
    fn take_password<'a>(
        &'a self,
        node: &'a NodeId,
        server: &'a ServerId,
        said: GuestPassword,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let (node, server) = (node.clone(), server.clone());
        Box::pin(async move { Ok(self.keep_password(node, server, said).await?) })
    }
}

impl Compute {
    async fn keep_password(&self, node: NodeId, id: ServerId, said: GuestPassword) -> Result<()> {
        let password = said.password.reveal().clone();
        if password.len() > GuestPassword::LONGEST {
            return Err(Error::invalid("Request is too large."));
        }
        let saved = self
            .store
            .write(move |tx| -> Result<_> {
                let found = table::find(tx, &id)?.filter(|server| server.role_of(&node).is_some());
                let before = found.ok_or_else(|| Error::not_found("This node has no machine of such a server."))?;
                if before.guest_password.is_some() {
                    return Err(Error::conflict("The password of this server was said already."));
                }
                // An empty one is none, as in Nova.
                if password.is_empty() {
                    return Ok(None);
                }
                let after = Server { guest_password: Some(Secret::new(password.clone())), ..before.clone() };
                save(tx, &Actor::system("compute"), "server.guest_password.set", &before, after).map(Some)
            })
            .await?;
        saved.iter().for_each(|saved| self.tell(saved));
        Ok(())
    }
}
