// SPDX-License-Identifier: Apache-2.0
//! Carries out what tasks say, one at a time for each.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use work::{KeyedReconciler, Step};

use super::{Method, Order, run::run};
use crate::{
    Error, Image, data,
    image::{self, Row, Status},
    task::{self, Kind},
};

pub struct Importer {
    room: Image,
}

impl Importer {
    pub fn new(room: Image) -> Self {
        Self { room }
    }
}

impl KeyedReconciler for Importer {
    fn name(&self) -> &'static str {
        "image.import"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let after = after.to_owned();
        // So many of each project, so that the imports of one do not fill all that is under way.
        let each = (self.room.transfers.each() / 2).max(1);
        self.room.store.list(move |tx| task::table::unfinished(tx, each, &after, limit)).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        let id = key.to_owned();
        let found = self.room.store.read(move |tx| task::table::find(tx, &id)).await.map_err(|error| error.to_string())?;
        let Some(task) = found.filter(|task| !task.status.is_over()) else { return Ok(Step::Settled) };
        let task = self.set(&task, |task| task.status = task::Status::Processing).await?;
        let _turn = self.room.transfers.turn(&task.owner).await;
        let order = serde_json::from_value::<Order>(task.input.get("order").unwrap_or(&task.input).clone());
        let outcome = match &order {
            Ok(order) => run(&self.room, &task, order).await,
            Err(error) => Err(Error::Invalid(format!("The task cannot be read: {error}."))),
        };
        match outcome {
            Ok(()) => {
                work::crash::point("image.import.done");
                let result = json!({"image_id": task.image});
                self.set(&task, |task| {
                    task.status = task::Status::Success;
                    task.result = Some(result.clone());
                    task.message.clear();
                })
                .await?;
            }
            // The tables are the one thing without which nothing can be told to anybody: later, then.
            Err(Error::Store(error)) => return Err(error.to_string()),
            Err(error) => {
                if !matches!(error, Error::Gone) {
                    tracing::warn!(task = task.id, %error, "an import failed");
                }
                self.fail(&task, order.ok().as_ref()).await.map_err(|error| error.to_string())?;
                work::crash::point("image.import.failed");
                let message = error.for_tenant();
                // For the request that waits for it.
                let result = (task.kind == Kind::Location).then(|| json!({"status_code": error.status().as_u16()}));
                self.set(&task, |task| {
                    task.status = task::Status::Failure;
                    task.result.clone_from(&result);
                    task.message.clone_from(&message);
                })
                .await?;
            }
        }
        Ok(Step::Settled)
    }

    /// Bytes that come too slowly or not at all end an import much sooner; this is for whatever has no such end.
    fn deadline(&self) -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }
}

impl Importer {
    async fn set(&self, task: &task::Row, change: impl Fn(&mut task::Row)) -> Result<task::Row, String> {
        let mut wanted = task.clone();
        change(&mut wanted);
        let write = self.room.store.write(move |tx| {
            let Some(before) = task::table::find(tx, &wanted.id)? else { return Ok(wanted.clone()) };
            if before.status != wanted.status {
                task::table::update(tx, &wanted.actor(), &before, &wanted)?;
            }
            Ok::<_, Error>(wanted.clone())
        });
        write.await.map_err(|error| error.to_string())
    }

    /// The image as it was before the import, with the stores where it failed.
    async fn fail(&self, task: &task::Row, order: Option<&Order>) -> Result<(), Error> {
        let Some(id) = task.image.clone() else { return Ok(()) };
        let targets: BTreeSet<String> = order.map(|order| order.stores.iter().cloned().collect()).unwrap_or_default();
        let is_copy = order.is_some_and(|order| order.method == Method::CopyImage);
        let label_stays = order.is_some_and(|order| order.label_stays);
        let (kind, actor) = (task.kind, task.actor());
        let write = self.room.store.write(move |tx| {
            let Some(before) = image::table::find(tx, &id)? else { return Ok(None) };
            image::table::reserve(tx, &before.id, 0)?;
            if kind == Kind::Whole && before.status == Status::Importing {
                image::table::delete(tx, &actor, &before)?;
                return Ok(Some(before));
            }
            let after = if is_copy { copy_undone(&before, &targets) } else { import_undone(&before, &targets, label_stays) };
            image::table::update(tx, &actor, &before, &after)?;
            Ok::<_, Error>(Some(before))
        });
        if let Some(before) = write.await? {
            data::forget(&self.room, &before).await;
        }
        Ok(())
    }
}

fn import_undone(before: &Row, targets: &BTreeSet<String>, label_stays: bool) -> Row {
    if before.status != Status::Importing {
        return before.clone();
    }
    let mut after = before.without_data();
    if label_stays {
        after.locations.clone_from(&before.locations);
    }
    after.place.importing = Some(BTreeSet::new());
    after.place.failed = Some(targets.clone());
    after
}

fn copy_undone(before: &Row, targets: &BTreeSet<String>) -> Row {
    let mut after = before.clone();
    after.place.holds.retain(|store| !targets.contains(store));
    after.place.stores.retain(|store| !targets.contains(store));
    after.place.importing = Some(BTreeSet::new());
    after.place.failed = Some(targets.clone());
    after
}
