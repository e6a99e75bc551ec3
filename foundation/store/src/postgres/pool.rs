// SPDX-License-Identifier: Apache-2.0
//! The connections of this process that transactions take turns on.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, PoolError, QueueMode, Runtime, TimeoutType};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::Connect;
use crate::session::postgres::{Silent, explain, unreachable_because};
use crate::{Error, Result};

/// PostgreSQL 13, the first with 64-bit transaction numbers in SQL.
const OLDEST_SERVER: u32 = 130_000;

pub(super) struct Pool {
    pool: deadpool_postgres::Pool,
    connect: Duration,
}

impl Pool {
    /// Makes the first connection and looks who answers there.
    pub(super) async fn open(connect: Connect) -> Result<Self> {
        let settings = connect.settings().clone();
        let manager = Manager::from_connect(connect.config().clone(), connect, ManagerConfig::default());
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(settings.connections)
            // That which was used last has most of the statements prepared.
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(settings.transaction))
            .create_timeout(Some(settings.connect))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::engine("set up the pool of connections", error))?;
        let pool = Self { pool, connect: settings.connect };
        let client = pool.take(Instant::now() + settings.transaction).await?;
        timeout(settings.connect, refuse_old_server(&client))
            .await
            .unwrap_or_else(|_| Err(unreachable_because(Silent(settings.connect))))?;
        Ok(pool)
    }

    /// A connection, if one is free or can be made before then.
    pub(super) async fn take(&self, until: Instant) -> Result<Object> {
        let in_use = || Error::Busy { reason: "all connections to PostgreSQL are in use" };
        match timeout_at(until, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(PoolError::Backend(error))) => Err(unreachable_because(error)),
            Ok(Err(PoolError::Closed)) => Err(Error::Closed),
            Ok(Err(PoolError::Timeout(TimeoutType::Create))) => Err(unreachable_because(Silent(self.connect))),
            Ok(Err(PoolError::Timeout(_))) | Err(_) => Err(in_use()),
            Ok(Err(other)) => Err(unreachable_because(other)),
        }
    }

    /// A connection did not answer: those that lie idle were made to the same server and may be as dead, so that each of them
    /// would cost somebody the same wait.
    pub(super) fn forget_idle(&self) {
        self.pool.retain(|_, _| false);
    }
}

async fn refuse_old_server(client: &Object) -> Result<()> {
    let row = client.query_one("SHOW server_version_num", &[]).await;
    let number: String = row.and_then(|row| row.try_get(0)).map_err(explain)?;
    match number.parse::<u32>() {
        Ok(version) if version < OLDEST_SERVER => Err(Error::OldPostgres { found: (version / 10_000).to_string() }),
        _ => Ok(()),
    }
}
