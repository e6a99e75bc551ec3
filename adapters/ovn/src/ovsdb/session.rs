// SPDX-License-Identifier: Apache-2.0
//! One connection from opening to its end: schema, monitor, then calls and notifications as they come.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::client::{Call, Shared};
use super::follow::Touch;
use super::remote::{Remote, Stream};
use super::replica::Replica;
use super::schema::Schema;
use super::wire::{self, Message, Splitter};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A server that has been silent for so long is asked whether it lives, …
const PROBE_AFTER: Duration = Duration::from_secs(10);
/// … and given up after as long again.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);
/// A database sends all that is watched in one answer.
const FIRST_ROWS_WITHIN: Duration = Duration::from_secs(120);
const READ_AT_ONCE: usize = 64 * 1024;

/// Why a session is over.
pub(crate) enum Ended {
    /// Nobody holds the client any more.
    Abandoned,
    /// The connection is gone; `served` if the replica had become current.
    Broken { why: String, served: bool },
}

/// What an answer is for.
enum Pending {
    Schema,
    MonitorSince,
    Monitor,
    Echo,
    Call(Call),
}

/// An answer that is waited for, and for how long.
struct Awaited {
    pending: Pending,
    until: Instant,
}

struct Session<'a> {
    shared: &'a Shared,
    last_transaction: &'a mut Option<Uuid>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    awaited: HashMap<u64, Awaited>,
    next_id: u64,
    schema: Schema,
    served: bool,
}

/// Opens a connection and serves it until it ends.
pub(crate) async fn run(
    shared: &Shared,
    remote: &Remote,
    calls: &mut mpsc::UnboundedReceiver<Call>,
    last_transaction: &mut Option<Uuid>,
) -> Ended {
    let broken = |why: String| Ended::Broken { why, served: false };
    let stream = match tokio::time::timeout(CONNECT_WITHIN, remote.open()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => return broken(why),
        Err(_) => return broken("no connection in time".to_owned()),
    };
    let (mut incoming, sink) = tokio::io::split(stream);
    let (outgoing, queue) = mpsc::unbounded_channel();
    let _writer = AbortOnDrop(tokio::spawn(write_all(sink, queue)));
    let mut session = Session {
        shared,
        last_transaction,
        outgoing,
        awaited: HashMap::new(),
        next_id: 0,
        schema: Schema::default(),
        served: false,
    };
    session.send("get_schema", &json!([shared.watched.database]), Pending::Schema);

    let mut splitter = Splitter::default();
    let mut buffer = Vec::with_capacity(READ_AT_ONCE);
    let mut heard = Instant::now();
    let mut probed = false;
    let why = loop {
        let silence = if probed { GIVE_UP_AFTER } else { PROBE_AFTER };
        let first_due = session.awaited.values().map(|awaited| awaited.until).min();
        tokio::select! {
            read = incoming.read_buf(&mut buffer) => {
                match read {
                    Ok(0) => break "the server closed the connection".to_owned(),
                    Ok(_) => {}
                    Err(error) => break error.to_string(),
                }
                (heard, probed) = (Instant::now(), false);
                splitter.push(&buffer);
                buffer.clear();
                if let Err(why) = session.take_in(&mut splitter) {
                    break why;
                }
            }
            call = calls.recv() => match call {
                Some(call) => {
                    let (method, params) = (call.method, call.params.clone());
                    session.send(method, &params, Pending::Call(call));
                }
                None => return Ended::Abandoned,
            },
            // The server lives and has lost this answer, or we have: whether the request took effect shows on a new connection.
            () = passed(first_due) => break "the server did not answer a request in time".to_owned(),
            () = tokio::time::sleep_until(heard + silence) => {
                if probed {
                    break "the server fell silent".to_owned();
                }
                probed = true;
                session.send("echo", &json!([]), Pending::Echo);
            }
        }
    };
    let served = session.served;
    for awaited in session.awaited.into_values() {
        if let Pending::Call(call) = awaited.pending {
            // A caller that has gone away needs no answer.
            call.reply.send(Err(shared.interrupted())).ok();
        }
    }
    Ended::Broken { why, served }
}

impl Session<'_> {
    fn send(&mut self, method: &str, params: &Value, pending: Pending) {
        self.next_id += 1;
        let within = match pending {
            Pending::Schema | Pending::Call(_) | Pending::Echo => self.shared.watched.answer_within,
            Pending::MonitorSince | Pending::Monitor => FIRST_ROWS_WITHIN,
        };
        self.awaited.insert(self.next_id, Awaited { pending, until: Instant::now() + within });
        // If the writer has ended, so has the stream, and reading tells why.
        self.outgoing.send(wire::request(method, params, self.next_id)).ok();
    }

    fn take_in(&mut self, splitter: &mut Splitter) -> Result<(), String> {
        while let Some(message) = splitter.next_message() {
            match message? {
                Message::Request { method, params, id } if method == "echo" => {
                    self.outgoing.send(wire::response(&params, &id)).ok();
                }
                Message::Notification { method, params } => self.notified(&method, &params)?,
                Message::Response { id, answer } => {
                    let awaited = id.as_u64().and_then(|id| self.awaited.remove(&id));
                    if let Some(awaited) = awaited {
                        self.answered(awaited.pending, answer)?;
                    }
                }
                Message::Request { method, .. } => {
                    tracing::debug!(method, "ignored a request of the server")
                }
            }
        }
        Ok(())
    }

    fn notified(&mut self, method: &str, params: &Value) -> Result<(), String> {
        let updates = match method {
            "update3" => {
                *self.last_transaction = uuid(&params[1]);
                &params[2]
            }
            "update2" => &params[1],
            _ => return Ok(()),
        };
        self.absorb(|replica| replica.apply(updates))
    }

    fn answered(&mut self, pending: Pending, answer: Result<Value, Value>) -> Result<(), String> {
        match (pending, answer) {
            (Pending::Call(call), answer) => {
                call.reply.send(Ok(answer)).ok();
            }
            (Pending::Echo, _) => {}
            (Pending::Schema, Ok(schema)) => {
                self.schema = Schema::from_json(&schema).ok_or("the server's schema makes no sense")?;
                let last = self.last_transaction.unwrap_or_default().to_string();
                let params = json!([self.shared.watched.database, null, self.requests(), last]);
                self.send("monitor_cond_since", &params, Pending::MonitorSince);
            }
            (Pending::MonitorSince, Ok(answer)) => {
                *self.last_transaction = uuid(&answer[1]);
                let continues = answer[0].as_bool() == Some(true);
                self.begin(continues, &answer[2])?;
            }
            // Servers before Open vSwitch 2.12 do not know how to continue.
            (Pending::MonitorSince, Err(_)) => {
                *self.last_transaction = None;
                let params = json!([self.shared.watched.database, null, self.requests()]);
                self.send("monitor_cond", &params, Pending::Monitor);
            }
            (Pending::Monitor, Ok(updates)) => self.begin(false, &updates)?,
            (Pending::Schema | Pending::Monitor, Err(error)) => {
                return Err(format!("the server refused to be watched: {error}"));
            }
        }
        Ok(())
    }

    /// Takes in the first rows of this session: what happened since the last one if the server still knows, else all.
    fn begin(&mut self, continues: bool, updates: &Value) -> Result<(), String> {
        let schema = std::mem::take(&mut self.schema);
        let (indexes, followed) = (self.shared.watched.indexes, self.shared.followers.are_there());
        self.absorb(|replica| {
            if continues {
                return replica.apply(updates);
            }
            let mut anew = Replica::new(schema, indexes);
            anew.apply(updates)?;
            let touched = if followed { anew.compared_with(replica) } else { Vec::new() };
            *replica = anew;
            Ok(touched)
        })?;
        self.served = true;
        self.shared.set_down(None);
        tracing::info!(database = self.shared.watched.database, continues, "watching the database");
        Ok(())
    }

    /// Out of step is cured by starting over from nothing.
    fn absorb(&mut self, change: impl FnOnce(&mut Replica) -> Result<Vec<Touch>, String>) -> Result<(), String> {
        let followers = &self.shared.followers;
        // Those who follow are told before anybody can look at the change.
        let told = self.shared.change(|replica| change(replica).map(|touched| followers.tell(&touched)));
        told.inspect_err(|_| *self.last_transaction = None)
    }

    /// The monitor requests for the watched tables and columns that this server has.
    fn requests(&self) -> Value {
        let mut requests = Map::new();
        for (table, columns) in &self.shared.watched.tables {
            if !self.schema.has_table(table) {
                continue;
            }
            let request = if columns.is_empty() {
                json!([{}])
            } else {
                let columns = columns.iter().filter(|column| self.schema.has_column(table, column));
                json!([{"columns": columns.collect::<Vec<_>>()}])
            };
            requests.insert((*table).to_owned(), request);
        }
        Value::Object(requests)
    }
}

/// Returns at that time, or never if there is none.
async fn passed(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::parse_str(text).ok())
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Writes in a task of its own: a server that is busy sending does not read, so waiting to write must not stop us reading.
async fn write_all(mut sink: WriteHalf<Box<dyn Stream>>, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if sink.write_all(&bytes).await.is_err() || sink.flush().await.is_err() {
            return;
        }
    }
}
