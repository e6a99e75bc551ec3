// SPDX-License-Identifier: Apache-2.0
//! The lead: of several controllers on one database, one does the work that shows outside.
//!
//! On PostgreSQL it belongs to the session that holds an advisory lock, on a connection of its own. The server ends
//! that session when its client is gone or has been silent for some seconds, and the next controller takes the lock.
//! A lock alone stops nobody who does not know yet that he lost it: so each lead has a generation, counted up by the
//! session that holds the lock, and a store that is [`led`](Store::led) checks it in every write, in the same
//! transaction. The write locks the row for reading: a lead is taken after all writes of the lead before it are over,
//! and none of them comes later.
//!
//! On SQLite the lock on the file has made this controller the only one.
//!
//! Invariant: no write of an earlier lead commits once a later one is taken (test: `a_lead_that_was_lost_writes_nothing`).

use std::time::Duration;

use types::Timestamp;

pub use crate::term::{Controller, Leader, Seen, controllers, leader};

use crate::session::Engine;
use crate::store::{Backend, Store};
use crate::term::{NOTE_CONTROLLER, TAKE_LEAD};
use crate::tx::Tx;
use crate::{Result, params, postgres};

/// A controller says every ten seconds that it is there.
const RECENT: Duration = Duration::from_secs(60);

/// A lead that this process took. It is given back when this is dropped.
#[derive(Debug)]
pub struct Lead {
    generation: i64,
    /// None on SQLite, where it cannot be lost.
    seat: Option<postgres::Seat>,
}

impl Lead {
    /// Grows with each lead that any controller takes.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// Returns when the lead is lost: another has it, or it is not known to be ours any more.
    pub async fn lost(&mut self) {
        match &mut self.seat {
            Some(seat) => seat.lost().await,
            None => std::future::pending().await,
        }
    }
}

impl Store {
    /// Says that this controller is there, and answers which others were heard of within the last minute. Of two that ask
    /// at the same time at least one learns of the other. On SQLite there are none.
    pub async fn others(&self, controller: &Controller) -> Result<Vec<Controller>> {
        if self.engine() == Engine::Sqlite {
            return Ok(Vec::new());
        }
        let own = controller.clone();
        self.write(move |tx| {
            let now = Timestamp::now();
            tx.execute(NOTE_CONTROLLER, &params![&own.name, serde_json::json!(own.addresses), now])?;
            let recent = controllers(tx)?.into_iter().filter(|seen| seen.at.plus(RECENT) > now);
            Ok(recent.map(|seen| seen.controller).filter(|other| other.name != own.name).collect())
        })
        .await
    }

    /// Waits until this controller has the lead. What goes wrong meanwhile is logged and tried again.
    pub async fn take_lead(&self, controller: &Controller) -> Result<Lead> {
        match self.backend() {
            Backend::Postgres(postgres) => {
                let seat = postgres.take_seat(controller).await;
                Ok(Lead { generation: seat.generation(), seat: Some(seat) })
            }
            Backend::Sqlite(_) => {
                let controller = controller.clone();
                let generation = self.write(move |tx| take_on_sqlite(tx, &controller)).await?;
                Ok(Lead { generation, seat: None })
            }
        }
    }

    /// The same tables for the work of this lead: every write is refused with [`Error::NotLeading`] once it is lost.
    #[must_use]
    pub fn led(&self, lead: &Lead) -> Self {
        let mut led = self.clone();
        led.term = (self.engine() == Engine::Postgres).then_some(lead.generation);
        led
    }

    /// The generation of the lead that the writes of this handle are bound to.
    pub fn term(&self) -> Option<i64> {
        self.term
    }

    /// Raises the generation at least to this: something outside has seen a higher one, as after the tables were restored
    /// from a backup. This lead is thereby lost, and the next is above what was seen.
    pub async fn outbid(&self, seen: i64) -> Result<()> {
        let sql = "UPDATE lead SET generation = $1 WHERE generation < $1";
        self.write(move |tx| tx.execute(sql, &params![seen])).await.map(drop)
    }

    /// Who has the lead, or had it last.
    pub async fn leader(&self) -> Result<Option<Leader>> {
        self.read(leader).await
    }

    /// Every controller that was ever heard of, in the order of their names.
    pub async fn controllers(&self) -> Result<Vec<Seen>> {
        self.read(controllers).await
    }
}

fn take_on_sqlite(tx: &mut Tx, controller: &Controller) -> Result<i64> {
    let now = Timestamp::now();
    // The only one there is.
    tx.execute("DELETE FROM controllers WHERE name <> $1", &params![&controller.name])?;
    tx.execute(NOTE_CONTROLLER, &params![&controller.name, serde_json::json!(controller.addresses), now])?;
    tx.query_one(TAKE_LEAD, &params![&controller.name, now])?.get(0)
}
