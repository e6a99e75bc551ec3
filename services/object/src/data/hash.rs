// SPDX-License-Identifier: Apache-2.0
//! Counts and hashes bytes on their way by. The hash is taken on the threads for bytes, beside whatever becomes of them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bounds::{Lost, Threads};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::Error;

/// Chunks that wait to be hashed.
const IN_FLIGHT: usize = 8;

/// What went by.
pub struct Meter {
    seen: Arc<AtomicU64>,
    most: u64,
    /// Why it stopped the bytes, or they stopped themselves.
    trouble: Arc<Mutex<Option<Error>>>,
    hashed: JoinHandle<Result<Md5, Lost>>,
}

impl Meter {
    /// The same bytes, up to so many; whoever sends more ends the stream with an error.
    pub fn around<S>(owner: &str, most: u64, chunks: S) -> (Self, impl Stream<Item = std::io::Result<Bytes>> + Send + use<S>)
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send,
    {
        let (lane, bytes) = mpsc::channel(IN_FLIGHT);
        let (seen, trouble) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
        let hashed = tokio::spawn(hash(owner.to_owned(), bytes));
        let meter = Self { seen: seen.clone(), most, trouble: trouble.clone(), hashed };
        let metered = chunks.then(move |chunk| {
            let (lane, seen, trouble) = (lane.clone(), seen.clone(), trouble.clone());
            async move {
                let stop = |error: Error, kind: std::io::ErrorKind| {
                    let io = std::io::Error::new(kind, error.to_string());
                    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    io
                };
                let chunk = match chunk {
                    Ok(chunk) => chunk,
                    Err(cause) => {
                        let kind = cause.kind();
                        return Err(stop(Error::BrokenOff(cause), kind));
                    }
                };
                if seen.fetch_add(chunk.len() as u64, Ordering::Relaxed) + chunk.len() as u64 > most {
                    let error = Error::TooLarge(format!("The body is longer than {most} bytes, which is the most here."));
                    return Err(stop(error, std::io::ErrorKind::Other));
                }
                // Only a hash that panicked is not there to take it, which is found at the end.
                let _ = lane.send(chunk.clone()).await;
                Ok(chunk)
            }
        });
        (meter, metered)
    }

    /// How much went by, and its MD5.
    pub async fn end(self) -> Result<(u64, String), Error> {
        if let Some(error) = self.trouble() {
            return Err(error);
        }
        let lost = |cause: &dyn std::fmt::Display| Error::Data(contracts::Refusal::internal(format!("hash an upload: {cause}")));
        let md5 = self.hashed.await.map_err(|error| lost(&error))?.map_err(|error| lost(&error))?;
        Ok((self.seen.load(Ordering::Relaxed).min(self.most), hex::encode(md5.finalize())))
    }

    /// Why the bytes stopped.
    pub fn trouble(&self) -> Option<Error> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn hash(owner: String, mut bytes: mpsc::Receiver<Bytes>) -> Result<Md5, Lost> {
    let mut md5 = Md5::new();
    let mut chunks = Vec::with_capacity(IN_FLIGHT);
    while bytes.recv_many(&mut chunks, IN_FLIGHT).await > 0 {
        let taken = std::mem::take(&mut chunks);
        let work = move || {
            taken.iter().for_each(|chunk| md5.update(chunk));
            md5
        };
        md5 = Threads::for_bytes().run(&owner, work).await?;
    }
    Ok(md5)
}
