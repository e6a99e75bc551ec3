// SPDX-License-Identifier: Apache-2.0
//! Grants data its bytes, a stretch at a time: within the quota, and only while the image still waits for them.

use std::time::{Duration, Instant};

use types::ImageId;

use crate::{
    Error, Image,
    image::{Status, table},
    quota, task,
};

/// How many bytes are granted at once where the length is not known before, and how often one looks whether the image is
/// still there.
const STRETCH: u64 = 64 << 20;

/// How often one looks whether the image is still there, where the data comes from far.
const LOOK: Duration = Duration::from_secs(2);

pub struct Meter {
    room: Image,
    image: ImageId,
    /// The state in which the image waits for the data.
    waits: Status,
    announced: Option<u64>,
    granted: u64,
    /// When the tables were asked last.
    asked: Instant,
    /// The task that tells how far it got.
    task: Option<String>,
}

impl Meter {
    pub fn new(room: &Image, image: &ImageId, waits: Status, announced: Option<u64>) -> Self {
        Self { room: room.clone(), image: image.clone(), waits, announced, granted: 0, asked: Instant::now(), task: None }
    }

    pub fn told_by(self, task: &str) -> Self {
        Self { task: Some(task.to_owned()), ..self }
    }

    /// Sees to it that `total` bytes are granted. Asks the tables only when a stretch is used up, or when a task's data
    /// comes slowly, so that a fetch for an image that was deleted does not go on for long.
    pub async fn grant(&mut self, total: u64) -> Result<(), Error> {
        if total > self.room.settings.limits.bytes {
            return Err(Error::TooLarge(self.room.settings.limits.bytes));
        }
        let is_slow = self.task.is_some() && self.asked.elapsed() > LOOK;
        if total <= self.granted && !is_slow {
            return Ok(());
        }
        self.asked = Instant::now();
        // What was announced is reserved as a whole, but looked after in stretches all the same.
        let stretch = (total / STRETCH + 1) * STRETCH;
        let likes = self.announced.filter(|announced| *announced >= total).unwrap_or(stretch);
        let (id, waits, quota) = (self.image.clone(), self.waits, self.room.settings.quota);
        let progress = self.task.clone().filter(|_| self.granted > 0).map(|task| (task, self.granted >> 20));
        let write = self.room.store.write(move |tx| {
            let image = table::find(tx, id.as_str())?.filter(|image| image.status == waits).ok_or(Error::Gone)?;
            let granted = if waits == Status::Uploading {
                quota::grant_staged(tx, &quota, &image.owner, &id, total, likes)?
            } else {
                let kept = image.bytes_kept();
                quota::grant_bytes(tx, &quota, &image.owner, &id, kept + total, kept + likes)? - kept
            };
            if let Some((task, done)) = &progress {
                task::table::note(tx, task, &format!("Copied {done} MiB"))?;
            }
            table::reserve(tx, &id, i64::try_from(granted).unwrap_or(i64::MAX))?;
            Ok::<_, Error>(granted)
        });
        self.granted = write.await?.min(stretch);
        Ok(())
    }
}
