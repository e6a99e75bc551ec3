// SPDX-License-Identifier: Apache-2.0
//! A disk from one node to another: what one sends, the other reads, as it comes.
//!
//! Both ends come by themselves, in any order, and wait a while for each other. Whoever comes again takes the place of his
//! earlier self. What broke off begins anew when both have come again; nothing of it is kept here. That the disk is safe at the
//! other end only that node can say, in its report.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bounds::{HeededBody, Pace, Turn};
use bytes::Bytes;
use contracts::{Refusal, node::Transfer};
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout, timeout_at},
};
use types::NodeId;

use super::{Streams, answer};
use crate::{Result, listener::Body};

/// How long a sender waits for a reader, who comes again and again until there is one.
const SENDER: Duration = Duration::from_secs(90);
/// With the wait for its turn less than any node waits for an answer to begin.
const READER: Duration = Duration::from_secs(4);

#[derive(Default)]
pub(super) struct Relay {
    offers: Mutex<HashMap<Transfer, Offer>>,
    offered: Notify,
}

/// What a sender has brought.
struct Offer {
    body: Body,
    length: Option<u64>,
    /// Told once somebody reads.
    begun: oneshot::Sender<()>,
    /// Told once all was read.
    ended: oneshot::Sender<()>,
}

impl Relay {
    /// Returns when the other end has read all.
    pub async fn send(&self, transfer: &Transfer, body: Body, length: Option<u64>) -> Result<()> {
        // Dropped last.
        let _offered = Offered { relay: self, transfer };
        let (begun, is_begun) = oneshot::channel();
        let (ended, is_ended) = oneshot::channel();
        self.lock().insert(transfer.clone(), Offer { body, length, begun, ended });
        self.offered.notify_waiters();
        match timeout(SENDER, is_begun).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Refusal::conflict("the same disk was offered anew meanwhile").into()),
            Err(_) => return Err(nobody_came()),
        }
        let broke_off = |_| Refusal::unavailable("the stream broke off before all was read: send it again");
        Ok(is_ended.await.map_err(broke_off)?)
    }

    pub async fn receive(&self, streams: &Streams, node: &NodeId, transfer: &Transfer) -> Result<Response<Body>> {
        let turn = streams.turn(node).await?;
        let until = Instant::now() + READER;
        let Offer { body, length, begun, ended } = loop {
            let offered = self.offered.notified();
            tokio::pin!(offered);
            // From here on no offer is missed.
            offered.as_mut().enable();
            if let Some(offer) = self.lock().remove(transfer)
                && !offer.begun.is_closed()
            {
                break offer;
            }
            timeout_at(until, offered).await.map_err(|_| nobody_came())?;
        };
        let _ = begun.send(());
        let relayed = Relayed { body, left: length, ended: Some(ended), _turn: turn };
        let mut response = answer(HeededBody::new(relayed, Pace::default().idle).boxed_unsync());
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(response)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Transfer, Offer>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody_came() -> crate::Error {
    Refusal::unavailable("the other node has not come yet: ask again").into()
}

/// A sender who waits. What he brought goes with him, unless it was taken or another's is in its place.
struct Offered<'a> {
    relay: &'a Relay,
    transfer: &'a Transfer,
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        let mut offers = self.relay.lock();
        if offers.get(self.transfer).is_some_and(|offer| offer.begun.is_closed()) {
            offers.remove(self.transfer);
        }
    }
}

/// What is sent, as it is read. When it is dropped too early the sender learns that it broke off.
struct Relayed {
    body: Body,
    /// Bytes still to come, if the sender said how many there are.
    left: Option<u64>,
    ended: Option<oneshot::Sender<()>>,
    _turn: Turn,
}

impl HttpBody for Relayed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let came = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.left = self.left.map(|left| left.saturating_sub(came));
        }
        // Of a known length nobody asks for the end.
        let is_all = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.left == Some(0),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if is_all && let Some(ended) = self.ended.take() {
            let _ = ended.send(());
        }
        polled
    }

    /// Not before the sender was told: nobody asks for more once this is said.
    fn is_end_stream(&self) -> bool {
        self.ended.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
