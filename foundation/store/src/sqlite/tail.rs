// SPDX-License-Identifier: Apache-2.0
//! Reads the stream of a file for the hub. There are no others who write: it is read only while somebody follows it.

use std::sync::{Arc, Weak};

use super::Readers;
use crate::Result;
use crate::event::{self, EventFilter, Top};
use crate::hub::{Found, GATHER, LOOK, PAGE, Page};
use crate::job::Call;
use crate::shared::Shared;
use crate::thing::News;
use crate::tx::Tx;

/// Reads the stream of a file while somebody follows it.
pub(crate) async fn keep_tailing_the_file(shared: Arc<Shared>, readers: Weak<Readers>) {
    loop {
        let _ = tokio::time::timeout(LOOK, shared.hub.asked_to_look()).await;
        tokio::time::sleep(GATHER).await;
        let mut round = shared.hub.begin_round();
        if !round.whole {
            shared.hub.rest();
            // Until somebody comes.
            shared.hub.asked_to_look().await;
            shared.hub.look_now();
            continue;
        }
        loop {
            let Some(readers) = readers.upgrade() else { return };
            let after = round.after;
            let read = list(readers, move |tx| page(tx, after));
            match read.await {
                Ok(page) => {
                    if !shared.hub.take_in(&mut round, page) {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "events cannot be read for those who follow them; trying again");
                    tokio::time::sleep(LOOK).await;
                    break;
                }
            }
        }
    }
}

async fn list<T: Send + 'static>(readers: Arc<Readers>, f: impl Fn(&mut Tx) -> Result<T> + Send + Sync + 'static) -> Result<T> {
    let call = Call::new(f);
    let ran = super::list(readers, call.clone()).await;
    call.outcome(ran)
}

fn page(tx: &mut Tx, after: Option<i64>) -> Result<Page> {
    let Top { settled, .. } = event::top(tx)?;
    let events = match after {
        None => Vec::new(),
        Some(after) => event::read(tx, after, PAGE, settled, &EventFilter::default())?,
    };
    let is_last = events.len() < PAGE as usize;
    let found = events.into_iter().map(|event| Found { news: News::of(&event), event: Some(event) }).collect();
    Ok(Page { settled, is_last, found })
}
