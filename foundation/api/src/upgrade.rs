// SPDX-License-Identifier: Apache-2.0
//! A connection of HTTP/1.1 that becomes something else, such as a websocket, once its request was answered with 101.

use std::{io, sync::Arc};

use bounds::{Busy, Place, Source};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

/// What the connection is then: bytes both ways. A peer that does not take what it is sent is cut off, as before.
pub type Connection = TokioIo<Upgraded>;

/// The way to the connection of a request that asks for it.
#[derive(Clone)]
pub struct Upgrade {
    on: OnUpgrade,
    held: Arc<Held>,
}

/// The connection's place among all, for as long as it is in use.
struct Held {
    _busy: Busy,
    _place: Arc<Place<Source>>,
}

impl Upgrade {
    pub(crate) fn new(on: OnUpgrade, busy: Busy, place: Arc<Place<Source>>) -> Self {
        Self { on, held: Arc::new(Held { _busy: busy, _place: place }) }
    }

    /// The connection, once the answer has gone out, and what counts it among all for as long as it is held.
    pub async fn connection(self) -> io::Result<(Connection, impl Send + Sync)> {
        let upgraded = self.on.await.map_err(io::Error::other)?;
        Ok((TokioIo::new(upgraded), self.held))
    }
}
