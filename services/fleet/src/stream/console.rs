// SPDX-License-Identifier: Apache-2.0
//! Consoles of machines. Whoever wants one brings what is typed, its node is asked for it, and comes with what it shows.
//!
//! Nothing is looked at here or kept: the pieces that are under way are bounded by both ends (`bounds::Credit`), since they share
//! the node's one connection with all that it reports.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bounds::{Full, Place, Places};
use bytes::Bytes;
use contracts::{
    Refusal,
    images::Chunks,
    node::{Answer, Ask, Console, Stream as TicketOf},
};
use futures_util::{Stream, TryStreamExt};
use http::{Request, Response};
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::{sync::oneshot, time::timeout};
use types::{NodeId, ServerId};
use uuid::Uuid;

use super::answer;
use crate::{Fleet, listener::Body};

/// How long a node may take from its answer to its stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// Less than the requests that a node may have under way, so that it can still report.
const OF_A_NODE: usize = 32;
const OF_ALL: usize = 256;

pub(super) struct Consoles {
    wanted: Mutex<HashMap<String, Wanted>>,
    places: Places<String>,
}

/// What waits for a node to come.
struct Wanted {
    typed: Chunks,
    came: oneshot::Sender<Chunks>,
}

impl Default for Consoles {
    fn default() -> Self {
        Self { wanted: Mutex::default(), places: Places::new(OF_ALL, OF_A_NODE) }
    }
}

impl Consoles {
    /// A node comes with what the console shows, and takes what is typed. None if nobody waits for it.
    pub fn join(&self, opening: &str, request: Request<Incoming>) -> Option<Response<Body>> {
        let Wanted { typed, came } = self.lock().remove(opening)?;
        let shown = BodyDataStream::new(request.into_body()).map_err(io::Error::other);
        came.send(Box::pin(shown)).ok()?;
        Some(answer(StreamBody::new(typed.map_ok(Frame::data)).boxed_unsync()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fleet {
    /// Of a node that has a session with this controller.
    pub(crate) async fn open_console_here(
        &self,
        node: &NodeId,
        server: &ServerId,
        console: Console,
        typed: Chunks,
    ) -> Result<Chunks, Refusal> {
        let consoles = &self.inner.streams.consoles;
        let place = consoles.places.enter_busy(node.to_string()).map_err(|full| {
            let (whose, most) = match full {
                Full::Yours => ("of this host", OF_A_NODE),
                Full::All => ("of all hosts", OF_ALL),
            };
            Refusal::unavailable(format!("{most} consoles {whose} are open, and that is the most: close one, and try again"))
        })?;
        let opening = Uuid::new_v4().to_string();
        let ticket = self.inner.tickets.ticket(node, &TicketOf::Console { opening: opening.clone() });
        let (came, has_come) = oneshot::channel();
        consoles.lock().insert(opening.clone(), Wanted { typed, came });
        let _forgotten = Forgotten { consoles, opening };
        match self.ask_here(node, Ask::OpenConsole { server_id: server.clone(), console, ticket }).await? {
            Answer::Opened => {}
            other => return Err(Refusal::internal(format!("a node answered {other:?} to a question for a console"))),
        }
        let late = || Refusal::unavailable("the host has opened the console and did not come with it; try again");
        let shown = timeout(PATIENCE, has_come).await.map_err(|_| late())?.map_err(|_| late())?;
        Ok(Box::pin(Placed { shown, _place: place }))
    }
}

/// Whoever does not wait any more is not waited for.
struct Forgotten<'a> {
    consoles: &'a Consoles,
    opening: String,
}

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.consoles.lock().remove(&self.opening);
    }
}

/// What a console shows, in its place.
struct Placed {
    shown: Chunks,
    _place: Place<String>,
}

impl Stream for Placed {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shown.as_mut().poll_next(cx)
    }
}
