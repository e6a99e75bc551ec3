// SPDX-License-Identifier: Apache-2.0
//! A console while it is open.

use std::{sync::Arc, time::Duration};

use access::{Allowed, Enforcer, Scope};
use api::Upgrade;
use bounds::{Place, relay};
use bytes::Bytes;
use contracts::{
    caller::{Caller, Unauthenticated},
    images::Chunks,
};
use futures_util::stream;
use tokio::sync::mpsc;
use types::{Secret, ServerId};

use super::{
    super::{
        Server,
        operation::admission::{self, Act},
        policy, table as servers,
    },
    Console,
    websocket::{self, Farewell},
};
use crate::{Compute, error::Error};

/// How often it is asked whether whoever opened it still may.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Bytes and pieces between client and node.
const PIPE: usize = 64 << 10;
const WAITING: usize = 4;

/// Who opens what.
pub(super) struct Session {
    pub room: Arc<Compute>,
    pub enforcer: Arc<Enforcer>,
    pub token: Secret<String>,
    pub server: ServerId,
    pub console: Console,
    pub place: Place<String>,
}

/// Why somebody may not, or may not any more.
pub(super) enum Barred {
    No,
    /// Nobody can say now.
    Unknown,
}

impl Session {
    /// What is typed, for the node, and the end into which it is put.
    pub fn typed() -> (mpsc::Sender<Bytes>, Chunks) {
        let (typed, typing) = mpsc::channel(WAITING);
        let next = |mut typing: mpsc::Receiver<Bytes>| async { typing.recv().await.map(|piece| (Ok(piece), typing)) };
        (typed, Box::pin(stream::unfold(typing, next)))
    }

    /// Until either end goes, or whoever opened it may not have it any more.
    pub async fn hold(self, upgrade: Upgrade, shown: Chunks, typed: mpsc::Sender<Bytes>) {
        let (client, _held) = match upgrade.connection().await {
            Ok(connection) => connection,
            Err(error) => return tracing::debug!(%error, "a console's client went before it was open"),
        };
        let (server, console) = (&self.server, self.console.word());
        tracing::info!(%server, console, "a console was opened");
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let talk = websocket::converse(client, ours, self.barred());
        // The pipe ends with the node's end, and the client is told so.
        let carry = async {
            let _ = relay(theirs, shown, typed).await;
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = talk => ended,
            () = carry => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a console ended badly");
        }
        tracing::info!(%server, console, "a console was closed");
        drop(self.place);
    }

    /// Ready when whoever opened it may not have it any more.
    async fn barred(&self) -> Farewell {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if let Err(Barred::No) = self.room.may_open(&self.enforcer, &self.token, &self.server).await {
                return Farewell {
                    code: 1008,
                    reason: "The token with which this console was opened is not good for it any more.",
                };
            }
        }
    }
}

impl Compute {
    /// The server, for the bearer of this token, if he may open consoles of it and it has any.
    pub(super) async fn may_open(
        &self,
        enforcer: &Enforcer,
        token: &Secret<String>,
        server: &ServerId,
    ) -> Result<(Arc<Caller>, Server), Barred> {
        let caller = self.callers.caller(token.reveal()).await.map_err(|error| match error {
            Unauthenticated::BadToken => Barred::No,
            Unauthenticated::Unavailable(_) => Barred::Unknown,
        })?;
        let allowed: Allowed<Scope> = enforcer.scope(&policy::REMOTE_CONSOLES, &caller).map_err(|_| Barred::No)?;
        let id = server.clone();
        match self.store.read(move |tx| servers::get(tx, &allowed, &id)).await {
            Ok(server) if admission::admit(Act::Console, &server, false).is_ok() => Ok((caller, server)),
            Ok(_) | Err(Error::Refused(_)) => Err(Barred::No),
            Err(Error::Store(_)) => Err(Barred::Unknown),
        }
    }
}
