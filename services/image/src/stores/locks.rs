// SPDX-License-Identifier: Apache-2.0
//! A lock a blob, for as long as somebody wants it. An upload into a distant bucket takes minutes, in which only those who
//! have to do with the same data shall wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

#[derive(Default)]
pub struct BlobLocks(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl BlobLocks {
    pub async fn lock(&self, blob: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let known = locks.get(blob).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let new = Arc::new(AsyncMutex::new(()));
                locks.insert(blob.to_owned(), Arc::downgrade(&new));
                new
            })
        };
        lock.lock_owned().await
    }
}
