// SPDX-License-Identifier: Apache-2.0
//! Tells the other controllers on the same database which kinds of resources changed, by LISTEN and NOTIFY.
//!
//! Rung after the commit, on its own: a NOTIFY inside the writers' transactions would make PostgreSQL commit them one
//! by one. A ring that gets lost costs only time, since whoever watches also has a clock.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::future::try_join;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Config, NoTls};

use crate::hub::News;
use crate::store::Shared;

/// How long to gather before ringing again: what changed meanwhile goes into one notification.
const GATHER: Duration = Duration::from_millis(10);

/// How long to wait before listening again after the connection was lost.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Bell {
    pending: Arc<Pending>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
pub(super) struct Pending {
    types: Mutex<BTreeSet<Cow<'static, str>>>,
    notify: Notify,
}

impl Bell {
    pub(super) fn hang(pool: Pool, config: Config, shared: Arc<Shared>) -> Self {
        let pending = Arc::new(Pending::default());
        // By this name a controller knows its own rings, which its watchers have heard already.
        let myself = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let tasks =
            [tokio::spawn(ring(pool, Arc::clone(&pending), myself.clone())), tokio::spawn(listen(config, shared, myself))];
        Self { pending, tasks }
    }

    pub(super) fn pending(&self) -> Arc<Pending> {
        Arc::clone(&self.pending)
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Pending {
    pub(super) fn add(&self, news: &[News]) {
        if news.is_empty() {
            return;
        }
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        types.extend(news.iter().map(|news| news.thing.kind.clone()));
        drop(types);
        self.notify.notify_one();
    }

    fn take(&self) -> BTreeSet<Cow<'static, str>> {
        std::mem::take(&mut *self.types.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn ring(pool: Pool, pending: Arc<Pending>, myself: String) {
    loop {
        pending.notify.notified().await;
        let types: Vec<_> = pending.take().into_iter().collect();
        let news = format!("{myself} {}", types.join(","));
        let rung = async {
            let client = pool.get().await.map_err(|error| error.to_string())?;
            let sql = "SELECT pg_notify('ferrostack_events', $1)";
            client.execute(sql, &[&news]).await.map_err(|error| error.to_string())
        };
        if let Err(error) = rung.await {
            tracing::warn!(error, "could not tell other controllers of a change");
        }
        tokio::time::sleep(GATHER).await;
    }
}

async fn listen(config: Config, shared: Arc<Shared>, myself: String) {
    loop {
        if let Err(error) = listen_once(&config, &shared, &myself).await {
            tracing::warn!(%error, "lost the connection that hears of other controllers' changes");
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

async fn listen_once(config: &Config, shared: &Shared, myself: &str) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let subscribe = async {
        client.batch_execute("LISTEN ferrostack_events").await?;
        // Something may have been missed before.
        shared.hub.tell_all();
        Ok(())
    };
    let hear = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(news) = message?
                && let Some((from, _)) = news.payload().split_once(' ')
                && from != myself
            {
                shared.hub.tell_all();
            }
        }
        Ok(())
    };
    try_join(subscribe, hear).await.map(drop)
}
