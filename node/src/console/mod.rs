// SPDX-License-Identifier: Apache-2.0
//! Consoles of this host's machines, for those whom a controller lets in: screen and serial line.
//!
//! ```text
//!   viewer ══ controller ══ stream of the link ══ screen ── QEMU's VNC socket, one connection each
//!                                            ╚══ serial ── line ── QEMU's serial socket, one connection for all viewers
//! ```
//! QEMU writes the console log by itself, whoever has the line open. A machine that ends, ends its consoles; so does an agent
//! that does.

mod screen;
mod serial;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bounds::relay;
use bytes::Bytes;
use contracts::node::{Console, Ticket};
use futures_util::{TryStreamExt, stream};
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinSet,
};

use crate::{
    Result,
    link::{Link, Sent},
    machines::At,
};
use serial::Lines;

/// Pieces that wait for the connection.
const WAITING: usize = 4;

pub(crate) struct Consoles {
    link: Link,
    lines: Arc<Lines>,
    open: Mutex<JoinSet<()>>,
}

impl Consoles {
    pub fn new(link: Link) -> Self {
        Self { link, lines: Arc::default(), open: Mutex::default() }
    }

    /// Returns once the machine's end is open; the other end comes by itself.
    pub async fn open(&self, machine: At, console: Console, ticket: Ticket) -> Result<()> {
        match console {
            Console::Screen => self.begin(screen::open(&machine).await?, ticket),
            Console::Serial => self.begin(self.lines.join(&machine).await?, ticket),
        }
        Ok(())
    }

    /// All of them.
    pub fn close(&self) {
        self.lock().abort_all();
    }

    fn begin(&self, here: impl AsyncRead + AsyncWrite + Send + 'static, ticket: Ticket) {
        let link = self.link.clone();
        let mut open = self.lock();
        while open.try_join_next().is_some() {}
        open.spawn(async move {
            if let Err(error) = carry(here, &link, &ticket).await {
                tracing::debug!(error = error.chain(), "a console ended");
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry(here: impl AsyncRead + AsyncWrite, link: &Link, ticket: &Ticket) -> Result<()> {
    let (go, gone) = mpsc::channel(WAITING);
    let response = link.client()?.join(&ticket.path(), sent(gone)).await?;
    let come = BodyDataStream::new(response.into_body()).map_err(std::io::Error::other);
    relay(here, Box::pin(come), go).await.map_err(crate::Error::http)
}

/// What goes up, as the body of a request.
fn sent(pieces: mpsc::Receiver<Bytes>) -> Sent {
    let next = |mut pieces: mpsc::Receiver<Bytes>| async { pieces.recv().await.map(|piece| (Ok(Frame::data(piece)), pieces)) };
    StreamBody::new(stream::unfold(pieces, next)).boxed_unsync()
}
