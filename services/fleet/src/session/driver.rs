// SPDX-License-Identifier: Apache-2.0
//! The task behind a session: the only one that writes to its stream.
//!
//! It reads what is desired of the things that it is told to look at, and by the clock of all, in case a word was never said;
//! and tells the node what differs from what it told before. Words that come while it reads are one look.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use contracts::{
    Refusal,
    node::{Feature, Held, Kind, NodeSettings, ToNode},
    nodes::{DesiredSource, Report},
};
use tokio::{sync::watch, time::Instant};

use super::{
    Inbox, Session, lease,
    lines::{Closed, Lines},
    touched::Touched,
};
use crate::{leading::Led, source};

/// The node takes a stream that is silent for longer than a few of these for dead.
pub(crate) const BEAT: Duration = Duration::from_secs(3);
/// The rooms tell what changed; this is for what was lost on the way.
const CLOCK: Duration = Duration::from_secs(900);
const RETRY: Duration = Duration::from_secs(1);

/// What the node said of itself that matters here.
pub(crate) struct Said {
    pub holds: Vec<Held>,
    pub features: BTreeSet<Feature>,
}

impl Said {
    /// A node that cannot have such things could not even read what is said of them.
    fn knows(&self, kind: Kind) -> bool {
        kind.feature().is_none_or(|feature| self.features.contains(&feature))
    }
}

/// Runs until the stream is closed or the session is over.
pub(crate) async fn drive(
    session: Arc<Session>,
    mut inbox: Inbox,
    lines: Lines,
    settings: NodeSettings,
    said: Said,
    led: Arc<Led>,
) {
    let sources = led.neighbours.desired.iter().filter(|source| said.knows(source.kind())).cloned().collect();
    let mut teller = Teller { session: session.clone(), lines, holds: said.holds, sources, led, whole: true };
    if teller.welcome(settings).await.is_err() {
        return;
    }
    let mut spoke = Instant::now();
    let mut look_at = Instant::now();
    let mut clock = Instant::now() + first_look(&session);
    loop {
        tokio::select! {
            biased;
            () = ended(&mut inbox.over) => return,
            () = teller.lines.closed() => return,
            Some((id, ask)) = inbox.asks.recv() => {
                if teller.lines.say(ToNode::Ask { id, ask }).await.is_err() { return }
                continue;
            }
            // Whatever else is said: with it the lease is renewed.
            () = tokio::time::sleep_until(spoke + BEAT) => {
                let lease = teller.lease();
                if teller.lines.say(ToNode::Beat { lease }).await.is_err() { return }
                spoke = Instant::now();
                continue;
            }
            // Heard, not found by a timer, which ticks once in a millisecond: whoever waits for a server waits for this.
            () = session.touched.heard() => {}
            () = tokio::time::sleep_until(look_at.min(clock)) => {}
        }
        if clock <= Instant::now() {
            session.touched.all();
            clock = Instant::now() + CLOCK;
        }
        look_at = match teller.look().await {
            Ok(Ok(())) => Instant::now() + CLOCK,
            Ok(Err(Closed)) => return,
            Err(refusal) => {
                tracing::warn!(node = %session.node, %refusal, "the desired state of the node cannot be read now");
                Instant::now() + RETRY
            }
        };
    }
}

async fn ended(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
}

/// Sessions that began together do not look together for ever.
fn first_look(session: &Session) -> Duration {
    let spread = session.node.as_str().bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    CLOCK / 2 + Duration::from_millis(spread % u64::try_from((CLOCK / 2).as_millis()).unwrap_or(1))
}

struct Teller {
    session: Arc<Session>,
    lines: Lines,
    /// What the node said that it has.
    holds: Vec<Held>,
    /// Of the kinds of things that the node can have.
    sources: Vec<Arc<dyn DesiredSource>>,
    led: Arc<Led>,
    /// Nothing was told yet.
    whole: bool,
}

impl Teller {
    async fn welcome(&mut self, node: NodeSettings) -> Result<(), Closed> {
        let welcome = ToNode::Welcome { protocol: self.session.protocol, node, lease: self.lease() };
        self.lines.say(welcome).await.map(drop)
    }

    fn lease(&self) -> contracts::node::Lease {
        lease::grant(self.session.began, self.led.was_certain())
    }

    /// Reads what is desired and says what differs.
    async fn look(&mut self) -> Result<Result<(), Closed>, Refusal> {
        let touched = self.session.touched.take();
        if touched.is_nothing() && !self.whole {
            return Ok(Ok(()));
        }
        match self.read(&touched).await {
            Ok(Some(line)) => self.tell(line).await,
            Ok(None) => Ok(Ok(())),
            Err(refusal) => {
                self.session.touched.put_back(touched);
                Err(refusal)
            }
        }
    }

    async fn read(&mut self, touched: &Touched) -> Result<Option<ToNode>, Refusal> {
        let (node, sources) = (&self.session.node, &self.sources);
        // Before what is wanted is read: it had come so far at least then.
        let database = self.led.mark().await.map_err(|error| Refusal::unavailable(error.to_string()))?;
        let whole = self.whole;
        let told = match touched {
            _ if whole => {
                let things = source::all(sources, node).await?;
                let mut told = self.session.told();
                let seq = told.everything(&things);
                self.session.set_strays(told.strays(&std::mem::take(&mut self.holds)));
                self.whole = false;
                Some((seq, things))
            }
            Touched::All => {
                let things = source::all(sources, node).await?;
                self.session.told().differences(things)
            }
            Touched::These(ids) => {
                let ids: Vec<_> = ids.iter().cloned().collect();
                let things = source::changed(sources, node, &ids).await?;
                self.session.told().changes(&ids, things)
            }
        };
        Ok(told.map(|(seq, things)| ToNode::Desired { seq, whole, things, database }))
    }

    async fn tell(&mut self, line: ToNode) -> Result<Result<(), Closed>, Refusal> {
        let Ok(unsaid) = self.lines.say(line).await else { return Ok(Err(Closed)) };
        if unsaid.is_empty() {
            return Ok(Ok(()));
        }
        let found = unsaid.into_iter().map(|unsaid| unsaid.0).collect();
        tracing::warn!(node = %self.session.node, ?found, "the node is too old for what is wanted of it");
        let report = Report { found, absent: Vec::new() };
        source::observed(&self.led.neighbours.observed, &self.session.node, &report).await?;
        Ok(Ok(()))
    }
}
