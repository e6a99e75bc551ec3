// SPDX-License-Identifier: Apache-2.0
//! Words under which data comes in. They are noted many at a time and ahead, so that an upload waits for no note of its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::data::Data;
use store::{Store, Tx, params};
use tokio::sync::Mutex as Turn;
use types::Timestamp;

use crate::Error;

/// As many are noted at once; when half of them are drawn, the next are.
const AT_ONCE: usize = 64;
/// After so long nothing of an upload that broke off is under way any more.
const SETTLED: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Owners {
    store: Store,
    /// This controller, among several.
    keeper: Arc<str>,
    data: Arc<dyn Data>,
    ready: Arc<Mutex<Vec<String>>>,
    /// Of uploads that broke off, and when. Whatever they left is looked for a while later, many at once.
    failed: Arc<Mutex<Vec<(String, Timestamp)>>>,
    filling: Arc<Turn<()>>,
}

/// An owner under whom bytes come in. If it is dropped before they are all there, they go.
pub struct Drawn {
    owners: Owners,
    pub owner: String,
    at: Timestamp,
    is_whole: bool,
}

impl Drawn {
    /// They are all there; from now on somebody else sees to them.
    pub fn is_whole(&mut self) {
        self.is_whole = true;
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        if !self.is_whole {
            let failed = (std::mem::take(&mut self.owner), self.at);
            self.owners.failed.lock().unwrap_or_else(PoisonError::into_inner).push(failed);
        }
    }
}

impl Owners {
    /// Gives up what an earlier process of this controller had on its way in, and begins anew.
    pub async fn open(store: Store, keeper: &str, data: Arc<dyn Data>) -> Result<Self, Error> {
        let whose = keeper.to_owned();
        let left = store.list(move |tx| noted_by(tx, &whose)).await?;
        if let Some(since) = left.iter().map(|(_, at)| *at).min() {
            let owners: Vec<String> = left.into_iter().map(|(owner, _)| owner).collect();
            data.abandon(&owners, since).await?;
            let whose = keeper.to_owned();
            store.write(move |tx| tx.execute("DELETE FROM object_owners WHERE keeper = $1", &params![&whose])).await?;
        }
        let (ready, failed, filling) = (Arc::default(), Arc::default(), Arc::default());
        Ok(Self { store, keeper: keeper.into(), data, ready, failed, filling })
    }

    pub async fn begin(&self) -> Result<Drawn, Error> {
        let owner = self.draw().await?;
        Ok(Drawn { owners: self.clone(), owner, at: Timestamp::now(), is_whole: false })
    }

    async fn draw(&self) -> Result<String, Error> {
        loop {
            let (owner, left) = {
                let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                (ready.pop(), ready.len())
            };
            match owner {
                Some(owner) => {
                    if left == AT_ONCE / 2 {
                        let myself = self.clone();
                        tokio::spawn(async move {
                            if let Err(error) = myself.fill().await {
                                tracing::warn!(%error, "no owners of data are noted ahead");
                            }
                        });
                    }
                    return Ok(owner);
                }
                None => self.fill().await?,
            }
        }
    }

    async fn fill(&self) -> Result<(), Error> {
        let _one_at_a_time = self.filling.lock().await;
        if self.ready.lock().unwrap_or_else(PoisonError::into_inner).len() > AT_ONCE / 2 {
            return Ok(());
        }
        self.abandon_failed().await?;
        let new: Vec<String> = (0..AT_ONCE).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
        let (noted, keeper) = (new.clone(), self.keeper.clone());
        let note = move |tx: &mut Tx| {
            let at = Timestamp::now();
            let sql = "INSERT INTO object_owners (owner, keeper, noted_at) VALUES ($1, $2, $3)";
            noted.iter().try_for_each(|owner| tx.execute(sql, &params![owner, &*keeper, at]).map(drop))
        };
        self.store.write(note).await?;
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        Ok(())
    }
}

impl Owners {
    async fn abandon_failed(&self) -> Result<(), Error> {
        let until = Timestamp::now().minus(SETTLED);
        let due: Vec<(String, Timestamp)> = {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.extract_if(.., |(_, at)| *at <= until).collect()
        };
        let Some(since) = due.iter().map(|(_, at)| *at).min() else { return Ok(()) };
        let owners: Vec<String> = due.into_iter().map(|(owner, _)| owner).collect();
        self.data.abandon(&owners, since).await?;
        let strike_out = move |tx: &mut Tx| {
            let sql = "DELETE FROM object_owners WHERE owner = $1";
            owners.iter().try_for_each(|owner| tx.execute(sql, &params![owner]).map(drop))
        };
        Ok(self.store.write(strike_out).await?)
    }
}

fn noted_by(tx: &mut Tx, keeper: &str) -> Result<Vec<(String, Timestamp)>, store::Error> {
    let rows = tx.query("SELECT owner, noted_at FROM object_owners WHERE keeper = $1", &params![keeper])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
