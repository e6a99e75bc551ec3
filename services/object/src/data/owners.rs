// SPDX-License-Identifier: Apache-2.0
//! Words under which data comes in. They are noted many at a time and ahead, so that an upload waits for no note of its own.

use std::sync::{Arc, Mutex, PoisonError};

use contracts::data::Data;
use store::{Store, Tx, params};
use tokio::sync::Mutex as Turn;
use types::Timestamp;

use crate::Error;

/// As many are noted at once; when half of them are drawn, the next are.
const AT_ONCE: usize = 64;

#[derive(Clone)]
pub struct Owners {
    store: Store,
    /// This controller, among several.
    keeper: Arc<str>,
    ready: Arc<Mutex<Vec<String>>>,
    filling: Arc<Turn<()>>,
}

impl Owners {
    /// Gives up what an earlier process of this controller had on its way in, and begins anew.
    pub async fn open(store: Store, keeper: &str, data: &dyn Data) -> Result<Self, Error> {
        let whose = keeper.to_owned();
        let left = store.list(move |tx| noted_by(tx, &whose)).await?;
        if let Some(since) = left.iter().map(|(_, at)| *at).min() {
            let owners: Vec<String> = left.into_iter().map(|(owner, _)| owner).collect();
            data.abandon(&owners, since).await?;
            let whose = keeper.to_owned();
            store.write(move |tx| tx.execute("DELETE FROM object_owners WHERE keeper = $1", &params![&whose])).await?;
        }
        Ok(Self { store, keeper: keeper.into(), ready: Arc::default(), filling: Arc::default() })
    }

    pub async fn draw(&self) -> Result<String, Error> {
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

fn noted_by(tx: &mut Tx, keeper: &str) -> Result<Vec<(String, Timestamp)>, store::Error> {
    let rows = tx.query("SELECT owner, noted_at FROM object_owners WHERE keeper = $1", &params![keeper])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
