// SPDX-License-Identifier: Apache-2.0
//! The task behind a session: the only one that writes to its stream.
//!
//! It reads the desired state when the bell rings, and by the clock in case a ring was never made, and says what
//! differs from what it said before. Rings that come while it reads are one ring.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use contracts::{
    Refusal,
    node::{NodeSettings, ToNode},
    nodes::NodeWishes,
};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

use super::{Inbox, Session, sent::Sent};
use crate::{leading::Led, listener::Body};

/// The node takes a stream that is silent for longer than a few of these for dead.
const BEAT: Duration = Duration::from_secs(3);
const CLOCK: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);
/// A node that does not take a line for so long is as good as dead.
const STALLED: Duration = Duration::from_secs(10);
const LINES_AHEAD: usize = 16;

type Line = Result<Frame<Bytes>, io::Error>;

/// The stream of a session, from the side that writes.
pub(crate) struct Lines(mpsc::Sender<Line>);

/// The stream cannot be written any more.
struct Closed;

impl Lines {
    pub fn new() -> (Self, Body) {
        let (sender, receiver) = mpsc::channel(LINES_AHEAD);
        let stream = futures_util::stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Line>| {
            receiver.recv().await.map(|line| (line, receiver))
        });
        (Self(sender), StreamBody::new(stream).boxed_unsync())
    }

    async fn say(&self, line: &ToNode) -> Result<(), Closed> {
        let mut json = serde_json::to_vec(line).map_err(|_| Closed)?;
        json.push(b'\n');
        match timeout(STALLED, self.0.send(Ok(Frame::data(json.into())))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Closed),
        }
    }
}

/// Runs until the stream is closed or the session is over.
pub(crate) async fn drive(session: Arc<Session>, mut inbox: Inbox, lines: Lines, settings: NodeSettings, led: Arc<Led>) {
    let mut sent = None;
    let mut spoke = Instant::now();
    let mut look_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = ended(&mut inbox.over) => return,
            () = lines.0.closed() => return,
            Some((id, ask)) = inbox.asks.recv() => {
                if lines.say(&ToNode::Ask { id, ask }).await.is_err() { return }
                spoke = Instant::now();
            }
            _ = session.bell.heard() => look_at = Instant::now(),
            () = tokio::time::sleep_until(look_at) => {
                let pause = match converse(&session, &lines, &settings, &led, &mut sent).await {
                    Ok(Ok(0)) => CLOCK,
                    Ok(Ok(_)) => { spoke = Instant::now(); CLOCK }
                    Ok(Err(Closed)) => return,
                    Err(refusal) => {
                        tracing::warn!(node = %session.node, %refusal, "the desired state of the node cannot be read now");
                        RETRY
                    }
                };
                look_at = Instant::now() + pause;
            }
            () = tokio::time::sleep_until(spoke + BEAT) => {
                if lines.say(&ToNode::Beat).await.is_err() { return }
                spoke = Instant::now();
            }
        }
    }
}

async fn ended(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
}

/// Reads what is desired and says what differs; answers how many lines that took.
async fn converse(
    session: &Session,
    lines: &Lines,
    settings: &NodeSettings,
    led: &Led,
    sent: &mut Option<Sent>,
) -> Result<Result<usize, Closed>, Refusal> {
    // Before what is wanted is read: it had come so far at least then.
    let database = led.store.mark().await.map_err(|error| Refusal::unavailable(error.to_string()))?;
    let NodeWishes { machines, released } = led.neighbours.desired.wishes(&session.node).await?;
    let news = match sent {
        None => {
            *sent = Some(Sent::everything(&machines, &released));
            vec![ToNode::Desired { node: settings.clone(), machines, released, database }]
        }
        Some(sent) => {
            let mut news = sent.differences(machines, released);
            if !news.is_empty() {
                news.push(ToNode::Known { database });
            }
            news
        }
    };
    for line in &news {
        if lines.say(line).await.is_err() {
            return Ok(Err(Closed));
        }
    }
    Ok(Ok(news.len()))
}
