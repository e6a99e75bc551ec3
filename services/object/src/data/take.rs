// SPDX-License-Identifier: Apache-2.0
//! Takes data in. When it is here it is durable, and nothing's yet; dropped before it becomes something's, it goes again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::{Bytes, BytesMut};
use contracts::RefusalKind;
use futures_util::{Stream, StreamExt, stream};
use md5::{Digest, Md5};
use tokio::runtime::Handle;

use super::{Data, Lies, SMALL, hash::Meter, table};
use crate::{Error, Objects, limits};

/// Data that is here.
pub struct Taken {
    pub data: Data,
    pub md5: String,
    /// Gives it up unless [`Taken::is_kept`] was said.
    room: Option<Objects>,
    kept: AtomicBool,
    /// It may be dropped by a thread of the database's.
    runtime: Option<Handle>,
    arriving: Option<Arrival>,
}

/// How many uploads there are whose data lies in pieces and is nothing's yet.
#[derive(Clone, Default)]
pub struct Arriving(Arc<AtomicUsize>);

struct Arrival(Arriving);

impl Arriving {
    fn one(&self) -> Arrival {
        self.0.fetch_add(1, Ordering::SeqCst);
        Arrival(self.clone())
    }

    pub fn are_any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Streams bytes in for a project. They are as many as was announced, if that was, and not more than `most`.
pub async fn take<S>(room: &Objects, project: &str, length: Option<u64>, most: u64, mut chunks: S) -> Result<Taken, Error>
where
    S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
{
    let most = bounded(length, most)?;
    let mut first = BytesMut::new();
    if length.is_none_or(|length| length <= SMALL as u64) {
        loop {
            match chunks.next().await {
                None => {
                    check_length(length, first.len() as u64)?;
                    return small(first.freeze(), most);
                }
                Some(chunk) => first.extend_from_slice(&chunk.map_err(Error::BrokenOff)?),
            }
            if first.len() > SMALL {
                break;
            }
        }
    }
    let first = (!first.is_empty()).then(|| Ok(first.freeze()));
    take_in_pieces(room, project, length, most, stream::iter(first).chain(chunks)).await
}

/// The same, however short it is: for what becomes a part of something larger.
pub async fn take_in_pieces<S>(room: &Objects, project: &str, length: Option<u64>, most: u64, chunks: S) -> Result<Taken, Error>
where
    S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
{
    let most = bounded(length, most)?;
    let arrival = room.arriving.one();
    let mut drawn = room.owners.begin().await?;
    work::crash::point("object.data.drawn");
    let (meter, metered) = Meter::around(project, most, chunks);
    let put = room.data.put(&drawn.owner, length, Box::pin(metered)).await;
    let pieces = match put {
        Ok(pieces) => pieces,
        // The keeper gave it back already; that the bytes broke off, or were too many, is known here more closely.
        Err(refusal) => {
            return Err(meter.trouble().filter(|_| refusal.kind == RefusalKind::Invalid).unwrap_or(Error::Data(refusal)));
        }
    };
    work::crash::point("object.data.put");
    drawn.is_whole();
    let data =
        Data { id: drawn.owner.clone(), size: pieces.iter().map(|piece| piece.length).sum(), lies: Lies::InPieces(pieces) };
    let mut taken = Taken {
        data,
        md5: String::new(),
        room: Some(room.clone()),
        kept: AtomicBool::new(false),
        runtime: Handle::try_current().ok(),
        arriving: Some(arrival),
    };
    let (size, md5) = meter.end().await?;
    check_length(length, size)?;
    taken.md5 = md5;
    Ok(taken)
}

fn bounded(length: Option<u64>, most: u64) -> Result<u64, Error> {
    let most = most.min(limits::OBJECT_SIZE);
    if length.is_some_and(|length| length > most) {
        return Err(Error::TooLarge(format!("The body is longer than {most} bytes, which is the most here.")));
    }
    Ok(most)
}

/// What is at hand, and short.
fn take_bytes(bytes: Bytes) -> Taken {
    let (size, md5) = (bytes.len() as u64, hex::encode(Md5::digest(&bytes)));
    let data = Data { id: uuid::Uuid::new_v4().simple().to_string(), size, lies: Lies::Here(bytes) };
    Taken { data, md5, room: None, kept: AtomicBool::new(false), runtime: None, arriving: None }
}

fn small(bytes: Bytes, most: u64) -> Result<Taken, Error> {
    if bytes.len() as u64 > most {
        return Err(Error::TooLarge(format!("The body is longer than {most} bytes, which is the most here.")));
    }
    Ok(take_bytes(bytes))
}

fn check_length(announced: Option<u64>, size: u64) -> Result<(), Error> {
    match announced {
        Some(announced) if announced != size => {
            let message = format!("{announced} bytes were announced, and {size} came");
            Err(Error::BrokenOff(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, message)))
        }
        _ => Ok(()),
    }
}

impl Taken {
    /// No bytes at all.
    pub fn nothing() -> Self {
        take_bytes(Bytes::new())
    }

    /// It is something's now.
    pub fn is_kept(&self) {
        self.kept.store(true, Ordering::SeqCst);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let (Some(room), Lies::InPieces(pieces)) = (self.room.take(), &self.data.lies) else { return };
        if self.kept.load(Ordering::SeqCst) {
            return;
        }
        let (owner, pieces) = (self.data.id.clone(), pieces.clone());
        let Some(runtime) = self.runtime.take() else { return };
        // Until it is written down it is on its way still: the audit does not take it for a stray.
        let arrival = self.arriving.take();
        // A note that cannot be struck out now is found by the next start.
        runtime.spawn(async move {
            let outcome = room.store.write(move |tx| table::give_up(tx, &owner, &pieces)).await;
            drop(arrival);
            if let Err(error) = outcome {
                tracing::warn!(%error, "what an upload left goes with the next start");
            }
        });
    }
}
