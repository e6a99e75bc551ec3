// SPDX-License-Identifier: Apache-2.0
//! The connection that reads the stream for this process's hub, and that tells and hears of news by NOTIFY and LISTEN.
//!
//! A notification is sent after the commit, on its own: inside the writers' transactions it would make PostgreSQL commit them one
//! by one. It only makes the others look sooner. That one gets lost, or that the server is silent while the connection seems to be
//! open, is noticed by the reading itself, which goes on by the clock and has a deadline.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, pin_mut, stream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Statement, error::SqlState};

use super::connect::Connect;
use crate::event::{self, COLUMNS, HORIZON_ON_POSTGRES};
use crate::hub::{Found, GATHER, LOOK, PAGE, Page, Round};
use crate::session::Column;
use crate::session::postgres::{explain, unreachable_because};
use crate::shared::Shared;
use crate::thing::{News, Thing};
use crate::{Error, Result, Row};

/// How long to gather before telling again: what changed meanwhile goes into one notification.
const TELL_AGAIN: Duration = Duration::from_millis(10);

/// A reading, or a connection, that takes longer is given up for another.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before the next connection.
const CONNECT_AGAIN: Duration = Duration::from_millis(200);

/// How soon to look again for what a running transaction holds back; the time doubles up to the clock's.
const HELD_BACK: Duration = Duration::from_millis(10);

pub(super) struct Tail {
    tell: Arc<Notify>,
    task: JoinHandle<()>,
}

struct Reader {
    client: Client,
    shared: Arc<Shared>,
    /// What is read while nobody wants more, and with the events themselves.
    brief: Statement,
    whole: Statement,
}

impl Tail {
    pub(super) fn begin(connect: Connect, shared: Arc<Shared>) -> Self {
        let tell = Arc::new(Notify::new());
        Self { task: tokio::spawn(keep_reading(connect, shared, Arc::clone(&tell))), tell }
    }

    /// What tells the other controllers that something was committed here.
    pub(super) fn tell(&self) -> Arc<Notify> {
        Arc::clone(&self.tell)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_reading(connect: Connect, shared: Arc<Shared>, tell: Arc<Notify>) {
    // By this name a controller knows its own notifications.
    let myself = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let mut complained = None;
    loop {
        let connected = Instant::now();
        let error = read_while_connected(&connect, &shared, &tell, &myself).await;
        // Before the tables are made there is nothing to read.
        let is_new = matches!(error, Error::NotWhole { .. });
        if connected.elapsed() > PATIENCE * 2 {
            complained = None;
        }
        if !is_new && complained.is_none() {
            let cause = &error as &dyn std::error::Error;
            tracing::warn!(cause, "the connection that reads what other controllers change is lost; connecting again");
            complained = Some(());
        }
        let _ = timeout(if is_new { LOOK } else { CONNECT_AGAIN }, shared.hub.asked_to_look()).await;
        sleep(GATHER).await;
    }
}

/// Returns why the connection is of no use any more.
async fn read_while_connected(connect: &Connect, shared: &Arc<Shared>, tell: &Notify, myself: &str) -> Error {
    let (client, mut connection) = match timeout(PATIENCE, connect.open()).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return error,
        Err(silent) => return unreachable_because(silent),
    };
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let hear = async {
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notification(news)) if news.payload() != myself => shared.hub.look_now(),
                Ok(_) => {}
                Err(error) => return unreachable_because(error),
            }
        }
        Error::Closed
    };
    let read = async {
        match timeout(PATIENCE, Reader::prepare(client, &connect.first_words(), Arc::clone(shared))).await {
            Ok(Ok(reader)) => tokio::select! {
                error = reader.keep_reading() => error,
                error = reader.keep_telling(tell, myself) => error,
            },
            Ok(Err(error)) => error,
            Err(silent) => unreachable_because(silent),
        }
    };
    tokio::select! {
        error = hear => error,
        error = read => error,
    }
}

impl Reader {
    async fn prepare(client: Client, first_words: &str, shared: Arc<Shared>) -> Result<Self> {
        client.batch_execute(first_words).await.map_err(explain)?;
        client.batch_execute("LISTEN ferrostack_events").await.map_err(explain)?;
        // States are read for events that can be given out, and not again and again while they are held back.
        let states = COLUMNS
            .replace("before_state", "CASE WHEN id < horizon THEN before_state END")
            .replace("after_state", "CASE WHEN id < horizon THEN after_state END");
        let brief = client.prepare(&reading("id, resource_type, resource_id")).await.map_err(not_made_yet)?;
        let whole = client.prepare(&reading(&states)).await.map_err(not_made_yet)?;
        Ok(Self { client, shared, brief, whole })
    }

    async fn keep_reading(&self) -> Error {
        let hub = &self.shared.hub;
        let mut held_back = HELD_BACK;
        loop {
            let mut round = hub.begin_round();
            loop {
                match timeout(PATIENCE, self.read(&round)).await {
                    Ok(Ok(page)) => {
                        if !hub.take_in(&mut round, page) {
                            break;
                        }
                    }
                    Ok(Err(error)) => return error,
                    Err(silent) => return unreachable_because(silent),
                }
            }
            let pause = if hub.end_round(&round) { held_back } else { LOOK };
            held_back = if pause == LOOK { HELD_BACK } else { LOOK.min(held_back * 2) };
            let _ = timeout(pause, hub.asked_to_look()).await;
            sleep(GATHER).await;
        }
    }

    async fn read(&self, round: &Round) -> Result<Page> {
        let statement = if round.whole { &self.whole } else { &self.brief };
        let after = round.after.unwrap_or(i64::MAX);
        let rows = self.client.query_raw(statement, [after, i64::from(PAGE)]).await.map_err(explain)?;
        pin_mut!(rows);
        let (mut horizon, mut found) = (0, Vec::new());
        while let Some(columns) = rows.try_next().await.map_err(explain)? {
            let mut row = Row::with_columns(columns.len());
            for index in 0..columns.len() {
                row.push(columns.try_get::<_, Column<'_>>(index).map_err(explain)?.0);
            }
            horizon = row.get(row.len() - 1)?;
            found.extend(found_in(&row, round.whole)?);
        }
        Ok(Page { settled: horizon - 1, is_last: found.len() < PAGE as usize, found })
    }

    async fn keep_telling(&self, tell: &Notify, myself: &str) -> Error {
        loop {
            tell.notified().await;
            let sql = "SELECT pg_notify('ferrostack_events', $1)";
            let told = match timeout(PATIENCE, self.client.execute(sql, &[&myself])).await {
                Ok(told) => told.map_err(explain),
                Err(silent) => Err(unreachable_because(silent)),
            };
            if let Err(error) = told {
                // The next connection tells it.
                tell.notify_one();
                return error;
            }
            sleep(TELL_AGAIN).await;
        }
    }
}

fn not_made_yet(error: tokio_postgres::Error) -> Error {
    match error.code() {
        Some(code) if *code == SqlState::UNDEFINED_TABLE => Error::NotWhole { missing: "the table events".to_owned() },
        _ => explain(error),
    }
}

/// One statement, so that the rows and the horizon are of one moment; it gives a row also where there is no event.
fn reading(columns: &str) -> String {
    format!(
        "WITH clock AS MATERIALIZED (SELECT {HORIZON_ON_POSTGRES} AS horizon), \
         found AS (SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $2) \
         SELECT {columns}, horizon FROM clock LEFT JOIN found ON true ORDER BY id"
    )
}

fn found_in(row: &Row, whole: bool) -> Result<Option<Found>> {
    let Some(id) = row.get::<Option<i64>>(0)? else { return Ok(None) };
    if whole {
        let event = event::event(row)?;
        return Ok(Some(Found { news: News::of(&event), event: Some(event) }));
    }
    let (kind, thing): (String, &str) = (row.get(1)?, row.get(2)?);
    let news = News { event: id, thing: Thing { kind: kind.into(), id: Arc::from(thing) } };
    Ok(Some(Found { news, event: None }))
}
