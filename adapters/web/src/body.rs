// SPDX-License-Identifier: Apache-2.0
//! The body of an answer, as it comes, within its limits.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream::try_unfold};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{Error, Limits};

#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    _connection: Connection,
    limits: Limits,
    deadline: Instant,
    taken: u64,
}

/// The task that drives the connection; it ends with its body.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Body {
    pub(crate) fn new(incoming: Incoming, connection: JoinHandle<()>, limits: Limits, deadline: Instant) -> Self {
        Self { incoming, _connection: Connection(connection), limits, deadline, taken: 0 }
    }

    /// How many bytes are to come, if the server said so.
    pub fn announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    pub(crate) fn check_announced(&self) -> Result<(), Error> {
        let limit = self.limits.bytes;
        if self.announced().is_some_and(|announced| announced > limit) { Err(Error::TooLarge(limit)) } else { Ok(()) }
    }

    /// The next bytes; none at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let next = timeout_at(self.deadline, timeout(self.limits.idle, self.incoming.frame()));
            let next = next.await.map_err(|_| Error::TooSlow(self.limits.total))?;
            let Some(frame) = next.map_err(|_| Error::Idle(self.limits.idle))? else { return Ok(None) };
            let Ok(data) = frame.map_err(|source| Error::BrokenOff { source })?.into_data() else { continue };
            self.taken += data.len() as u64;
            if self.taken > self.limits.bytes {
                return Err(Error::TooLarge(self.limits.bytes));
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// All of it, for what is small.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        try_unfold(self, |mut body| async move { Ok(body.chunk().await?.map(|chunk| (chunk, body))) })
    }
}
