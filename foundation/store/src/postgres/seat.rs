// SPDX-License-Identifier: Apache-2.0
//! The connection that holds the lead's lock, or stands in line for it.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Client;
use types::Timestamp;

use super::connect::Connect;
use crate::Result;
use crate::session::postgres::{Silent, explain, unreachable_because};
use crate::term::{Controller, NOTE_CONTROLLER, TAKE_LEAD};

/// "ferrostack's lead", of no other meaning.
const LOCK: &str = "SELECT pg_try_advisory_lock(7311103)";

/// How often who leads is heard of, and who stands in line tries.
const BEAT: Duration = Duration::from_secs(1);
/// A beat that takes longer is taken for a lost connection, by who leads and by who stands in line.
const PATIENCE: Duration = Duration::from_secs(4);
/// To take the lead is to wait for the writes of the lead before, of which the server ends those that hang.
const TAKING: Duration = Duration::from_secs(30);
/// How often it is written down that a controller is there.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// After five silent seconds the server ends the session and with it the lock: the host may have lost its power, or the
/// process may be stopped. (PostgreSQL 13 cannot; there a stopped leader leads on until it goes on or ends.)
const SEAT_SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SELECT set_config('idle_session_timeout', '5s', false) WHERE current_setting('server_version_num')::int >= 140000";

/// Holds the lock for as long as it lives.
#[derive(Debug)]
pub(crate) struct Seat {
    generation: i64,
    lost: watch::Receiver<bool>,
    keeper: JoinHandle<()>,
}

impl Seat {
    /// Waits for the lock and takes the lead.
    pub(super) async fn take(connect: &Connect, controller: &Controller) -> Self {
        let mut complained = false;
        loop {
            match Self::stand_in_line(connect, controller).await {
                Ok(seat) => return seat,
                Err(error) if !complained => {
                    tracing::warn!(%error, "the database cannot be asked who leads; trying again");
                    complained = true;
                }
                Err(_) => {}
            }
            sleep(BEAT).await;
        }
    }

    pub(crate) fn generation(&self) -> i64 {
        self.generation
    }

    pub(crate) async fn lost(&mut self) {
        let _ = self.lost.wait_for(|lost| *lost).await;
    }

    /// Nothing here waits for the server without an end: else a line that was cut would keep this controller from ever leading.
    async fn stand_in_line(connect: &Connect, controller: &Controller) -> Result<Self> {
        let (client, connection) = connect.open().await?;
        let connection = Driver(tokio::spawn(async move { drop(connection.await) }));
        within(PATIENCE, client.batch_execute(&connect.first_words())).await?;
        within(PATIENCE, client.batch_execute(SEAT_SETTINGS)).await?;
        let mut notes = Notes::default();
        loop {
            within(PATIENCE, notes.note(&client, controller)).await?;
            if within(PATIENCE, client.query_one(LOCK, &[])).await?.try_get(0).map_err(explain)? {
                break;
            }
            sleep(BEAT).await;
        }
        // On this very connection: who lost the lock in between cannot say that he leads. It waits for those writes of
        // the lead before that are not over yet; one that hangs is ended by the server.
        let (name, now) = (&controller.name, Timestamp::now().0);
        let generation = within(TAKING, client.query_one(TAKE_LEAD, &[name, &now])).await?.try_get(0).map_err(explain)?;
        let (gone, lost) = watch::channel(false);
        let controller = controller.clone();
        let keeper = tokio::spawn(async move {
            tokio::select! {
                () = connection.ended() => {}
                () = keep(&client, &controller, generation, notes) => {}
            }
            let _ = gone.send(true);
        });
        Ok(Self { generation, lost, keeper })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Its client goes with it, the session with the client, and the lock with the session.
        self.keeper.abort();
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    timeout(time, work).await.map_err(|_| unreachable_because(Silent(time)))?.map_err(explain)
}

/// What drives the connection; it ends with this, whoever still waits for an answer.
struct Driver(JoinHandle<()>);

impl Driver {
    async fn ended(mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns when the lead is not known to be ours any more.
async fn keep(client: &Client, controller: &Controller, generation: i64, mut notes: Notes) {
    loop {
        sleep(BEAT).await;
        let beat = async {
            notes.note(client, controller).await?;
            client.query_one("SELECT generation FROM lead WHERE id = 1", &[]).await?.try_get::<_, i64>(0)
        };
        match timeout(PATIENCE, beat).await {
            Ok(Ok(found)) if found == generation => {}
            Ok(Ok(found)) => return tracing::warn!(ours = generation, found, "the lead was taken from this controller"),
            Ok(Err(error)) => return tracing::warn!(%error, "the connection that holds the lead is lost"),
            Err(_) => return tracing::warn!("the database does not answer, so whether this controller leads is not known"),
        }
    }
}

/// Writes down now and then that this controller is there.
#[derive(Default)]
struct Notes(Option<Instant>);

impl Notes {
    async fn note(&mut self, client: &Client, controller: &Controller) -> Result<(), tokio_postgres::Error> {
        if self.0.is_some_and(|at| at.elapsed() < NOTE_EVERY) {
            return Ok(());
        }
        let addresses = serde_json::json!(controller.addresses).to_string();
        client.execute(NOTE_CONTROLLER, &[&controller.name, &addresses, &Timestamp::now().0]).await?;
        self.0 = Some(Instant::now());
        Ok(())
    }
}
