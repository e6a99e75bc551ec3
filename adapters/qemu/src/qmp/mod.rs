// SPDX-License-Identifier: Apache-2.0
//! A QMP client over a unix socket.
//!
//! QEMU serves one client at a time, so a [`Qmp`] is cloned within this process rather than opened twice.
//! Two tasks own the two directions of the socket: a caller that is cancelled half way through can neither
//! tear a line nor take another caller's answer. The machine outlives us: when we come back, connect again.

mod event;
#[cfg(test)]
mod tests;
mod verbs;
mod wire;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::Result;
use crate::error::{Doing, Error};

pub use event::Event;
pub use verbs::{RunState, Version};
pub use wire::ErrorClass;
use wire::{Message, read_line};

/// How long a command may take before we stop waiting: QEMU answers in milliseconds unless it hangs.
pub const COMMAND_DEADLINE: Duration = Duration::from_secs(20);

/// Events kept for a subscriber that is slow; it sees `Lagged` if it falls further behind.
const EVENT_BACKLOG: usize = 256;

type Waiting = HashMap<u64, oneshot::Sender<std::result::Result<Value, wire::Failure>>>;

/// A conversation with one machine. Cheap to clone; it ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Qmp {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lines: mpsc::UnboundedSender<Vec<u8>>,
    /// `None` once the connection is closed, so that nobody starts to wait for an answer that cannot come.
    waiting: Arc<Mutex<Option<Waiting>>>,
    next_id: std::sync::atomic::AtomicU64,
    /// Weak, so that subscribers see the end of the stream when the reader, who owns it, has gone.
    events: broadcast::WeakSender<Event>,
    version: Version,
    reader: tokio::task::AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Qmp {
    /// Connects, waits for the greeting, and leaves negotiation mode.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let doing = || format!("connect to the QMP socket {}", socket.display());
        let conversation = async {
            let stream = crate::socket::connect(socket).await.doing(doing)?;
            Self::converse(stream).await
        };
        within(COMMAND_DEADLINE, doing, conversation).await
    }

    /// Takes over a connected socket.
    pub(crate) async fn converse(stream: UnixStream) -> Result<Self> {
        let (qmp, negotiated) = Self::begin(stream).await?;
        negotiated.get().await.map(|_| qmp)
    }

    /// Takes over the socket of a QEMU that is being started, and asks to leave negotiation mode. The greeting comes early; what
    /// is said is read when the machine is whole, one line after the other. So the answer is what a starter waits for, and more
    /// may be said before it comes.
    pub(crate) async fn begin(stream: UnixStream) -> Result<(Self, Answer)> {
        let (read, write) = stream.into_split();
        let mut read = BufReader::new(read);
        let greeting = match read_line(&mut read).await? {
            Some(line) => Message::parse(&line)?.greeting,
            None => return Err(Error::Closed),
        };
        let greeting = greeting.ok_or_else(|| Error::Protocol("the first line was no greeting".into()))?;

        let (lines, outbox) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let weak_events = events.downgrade();
        let waiting = Arc::new(Mutex::new(Some(Waiting::new())));
        tokio::spawn(write_lines(write, outbox));
        let reader = tokio::spawn(read_messages(read, Arc::clone(&waiting), events)).abort_handle();
        let shared = Shared { lines, waiting, next_id: 1.into(), events: weak_events, version: greeting.version.qemu, reader };
        let qmp = Self { shared: Arc::new(shared) };
        let negotiated = qmp.send("qmp_capabilities", Value::Null)?;
        Ok((qmp, negotiated))
    }

    /// Runs one command and reads its answer. `arguments` is an object, or null for none.
    pub async fn execute<T: DeserializeOwned>(&self, command: &str, arguments: Value) -> Result<T> {
        let answer = self.ask(command, arguments);
        let value = within(COMMAND_DEADLINE, || format!("hear from QEMU about {command}"), answer).await?;
        serde_json::from_value(value).map_err(|error| Error::Protocol(format!("odd answer to {command}: {error}")))
    }

    /// Events from now on. The stream ends when the connection does.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        match self.shared.events.upgrade() {
            Some(events) => events.subscribe(),
            // A subscription to nothing, which is at its end.
            None => broadcast::channel(1).1,
        }
    }

    /// The version in QEMU's greeting.
    pub fn version(&self) -> Version {
        self.shared.version
    }

    pub fn is_closed(&self) -> bool {
        lock(&self.shared.waiting).is_none()
    }

    async fn ask(&self, command: &str, arguments: Value) -> Result<Value> {
        self.send(command, arguments)?.get().await
    }

    /// Says a command; its answer may be waited for, or not.
    pub(crate) fn send(&self, command: &str, arguments: Value) -> Result<Answer> {
        let id = self.shared.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.shared.waiting).as_mut().ok_or(Error::Closed)?.insert(id, answer);
        let answer = Answer { id, command: command.to_owned(), answered, waiting: Arc::clone(&self.shared.waiting) };
        self.shared.lines.send(wire::command_line(id, command, arguments)).map_err(|_| Error::Closed)?;
        Ok(answer)
    }
}

/// What QEMU is going to say to a command. A question whose caller went away is forgotten, so that abandoned commands do not
/// pile up.
pub(crate) struct Answer {
    id: u64,
    command: String,
    answered: oneshot::Receiver<std::result::Result<Value, wire::Failure>>,
    waiting: Arc<Mutex<Option<Waiting>>>,
}

impl Answer {
    pub(crate) async fn get(mut self) -> Result<Value> {
        match (&mut self.answered).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(Error::Refused {
                command: std::mem::take(&mut self.command),
                class: failure.class,
                description: failure.desc,
            }),
            Err(_) => Err(Error::Closed),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(waiting) = lock(&self.waiting).as_mut() {
            waiting.remove(&self.id);
        }
    }
}

fn lock(waiting: &Mutex<Option<Waiting>>) -> std::sync::MutexGuard<'_, Option<Waiting>> {
    // Nothing panics while holding it; a poisoned map is still a good map.
    waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn write_lines(mut socket: OwnedWriteHalf, mut outbox: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = outbox.recv().await {
        if let Err(error) = socket.write_all(&line).await {
            tracing::debug!(%error, "QMP connection closed while writing");
            return;
        }
    }
}

async fn read_messages(
    mut socket: BufReader<OwnedReadHalf>,
    waiting: Arc<Mutex<Option<Waiting>>>,
    events: broadcast::Sender<Event>,
) {
    // Dropping the map, whichever way we leave, wakes every caller with `Closed`.
    let _close = Close(&waiting);
    loop {
        let message = match read_line(&mut socket).await {
            Ok(Some(line)) => Message::parse(&line),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        match message {
            Ok(message) => deliver(message, &waiting, &events),
            Err(error) => {
                tracing::warn!(%error, "QMP connection dropped");
                return;
            }
        }
    }
}

struct Close<'a>(&'a Mutex<Option<Waiting>>);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        lock(self.0).take();
    }
}

fn deliver(message: Message, waiting: &Mutex<Option<Waiting>>, events: &broadcast::Sender<Event>) {
    if let Some(name) = message.event {
        // No subscriber is no fault: the send error says only that.
        let _ = events.send(Event::new(&name, message.data));
        return;
    }
    let answer = match (message.ret, message.error) {
        (_, Some(failure)) => Err(failure),
        (Some(value), None) => Ok(value),
        (None, None) => return,
    };
    let caller = message.id.and_then(|id| lock(waiting).as_mut()?.remove(&id));
    match caller {
        Some(caller) => drop(caller.send(answer)),
        None => tracing::debug!(id = message.id, "QMP answer that nobody waits for"),
    }
}

pub(crate) async fn within<T>(
    deadline: Duration,
    doing: impl FnOnce() -> String,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(deadline, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Deadline { doing: doing(), after: deadline }),
    }
}
