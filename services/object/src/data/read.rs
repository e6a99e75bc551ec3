// SPDX-License-Identifier: Apache-2.0
//! Reads data. What is being read stays, though its last holder goes meanwhile.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use contracts::images::Chunks;
use futures_util::{StreamExt, stream};

use super::{Data, Lies};
use crate::Objects;

/// Which data is being read, by how many.
#[derive(Clone, Default)]
pub struct Readers(Arc<Mutex<HashMap<String, usize>>>);

/// One reader of one data, while this lives.
struct Reader {
    readers: Readers,
    data: String,
}

impl Readers {
    fn enter(&self, data: &str) -> Reader {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *reading.entry(data.to_owned()).or_default() += 1;
        Reader { readers: self.clone(), data: data.to_owned() }
    }

    pub fn are_at(&self, data: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(data)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut reading = self.readers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = reading.get_mut(&self.data) {
            *count -= 1;
            if *count == 0 {
                reading.remove(&self.data);
            }
        }
    }
}

/// A part of this data, or all of it.
pub fn read(room: &Objects, data: &Data, range: Range<u64>) -> Chunks {
    match &data.lies {
        Lies::Here(bytes) => {
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
            let part = bytes.slice(at(range.start)..at(range.end));
            Box::pin(stream::iter((!part.is_empty()).then_some(Ok(part))))
        }
        Lies::InPieces(pieces) => {
            let reader = room.readers.enter(&data.id);
            let chunks = room.data.read(pieces.clone(), range);
            Box::pin(chunks.map(move |chunk| {
                let _held = &reader;
                chunk
            }))
        }
    }
}
