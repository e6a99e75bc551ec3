// SPDX-License-Identifier: Apache-2.0
//! A machine's root disk comes from another node: into a file beside, judged as it comes, and only then under its name.
//!
//! Which stream it comes by is written down before the first byte, so a disk that is there came by that one, or was here
//! before: one from an earlier stay is neither taken for it nor overwritten.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use bytes::Bytes;
use contracts::node::{MachineDesired, MachineState, Ticket};
use disks::{Format, Inspector, Limits};
use futures_util::TryStreamExt;
use tokio::sync::mpsc;
use work::{crash, durable};

use super::{
    disks::{put_in_place, root_of},
    task::Task,
};
use crate::{
    Error, Result,
    error::{Doing, blocking},
    image::Fetch,
};

const PIECES_AHEAD: usize = 8;
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Task {
    /// Takes the disk unless it is here, or something else is wanted meanwhile.
    pub(super) async fn receive(&mut self, desired: &MachineDesired, ticket: &Ticket) -> Result<()> {
        let root = root_of(desired)?.clone();
        let disk = self.ledger.root_disk();
        if disk.exists() && self.recorded.received.as_ref() != Some(ticket) {
            let message =
                format!("{} is there already and did not come by this move: release the machine here first", disk.display());
            return Err(Error::Unfit(message));
        }
        if !disk.exists() {
            self.report(MachineState::Preparing { step: "disk".into() });
            let most = longest(root.size);
            self.recorded.received = Some(ticket.clone());
            self.recorded.root = Some(root);
            self.keep_recorded().await?;
            crash::point("node.move.begun");
            let (link, ticket, arriving) = (self.shop.link.clone(), ticket.clone(), self.ledger.arriving_disk());
            let taken = self.unless_changed(async move { take_when_it_comes(&link, &ticket, &arriving, most).await }).await;
            if taken.transpose()?.is_none() {
                return Ok(());
            }
            crash::point("node.move.written");
            let arriving = self.ledger.arriving_disk();
            blocking(move || put_in_place(&arriving, &disk)).await?;
            crash::point("node.move.received");
            tracing::info!(server = %self.server_id, "the machine's disk came from another node");
        }
        self.report(MachineState::Received);
        Ok(())
    }

    /// What is left of a disk that was not whole when something else became wanted.
    pub(super) async fn drop_arriving(&self) -> Result<()> {
        let path = self.ledger.arriving_disk();
        if !path.exists() {
            return Ok(());
        }
        blocking(move || durable::remove_file(&path).doing(|| format!("remove {}", path.display()))).await
    }
}

/// Of a file that holds a disk of so many bytes: its tables are a small part of it.
fn longest(size: u64) -> u64 {
    if size == 0 { u64::MAX } else { size.saturating_add(size / 8).saturating_add(64 << 20) }
}

/// Waits for as long as the other node has not come.
async fn take_when_it_comes(source: &dyn Fetch, ticket: &Ticket, path: &Path, most: u64) -> Result<()> {
    loop {
        match take(source, ticket, path, most).await {
            Err(error) if error.is_transient() => {
                tracing::debug!(error = error.chain(), "a disk from another node is asked for again");
                tokio::time::sleep(ASK_AGAIN).await;
            }
            taken => return taken,
        }
    }
}

async fn take(source: &dyn Fetch, ticket: &Ticket, path: &Path, most: u64) -> Result<()> {
    let mut body = source.open(ticket).await?;
    let (pieces, arriving) = mpsc::channel::<Option<Bytes>>(PIECES_AHEAD);
    let receive = async move {
        while let Some(data) = body.try_next().await? {
            if pieces.send(Some(data)).await.is_err() {
                break;
            }
        }
        // It ended as it should: one that broke off did not come here.
        let _ = pieces.send(None).await;
        Ok(())
    };
    let into = path.to_owned();
    let store = blocking(move || keep(arriving, &into, most));
    let (received, stored) = tokio::join!(receive, store);
    // A stream that broke off explains a disk that is not whole, not the other way round.
    received.and(stored).map_err(|error| error.if_full(path, || "a machine's disk was to come there from another node".into()))
}

/// What is not whole would only take room.
fn keep(arriving: mpsc::Receiver<Option<Bytes>>, path: &Path, most: u64) -> Result<()> {
    let kept = judge_and_keep(arriving, path, most);
    if kept.is_err() {
        durable::remove_file(path).doing(|| format!("remove {}", path.display()))?;
    }
    kept
}

/// The disk is judged like any stranger's: one that rests on another file, or keeps its data in one, is refused.
fn judge_and_keep(mut arriving: mpsc::Receiver<Option<Bytes>>, path: &Path, most: u64) -> Result<()> {
    let writing = || format!("write {}", path.display());
    durable::remove_file(path).doing(writing)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).doing(writing)?;
    let mut inspector = Inspector::new(Format::Qcow2, Limits::default());
    let (mut is_whole, mut length) = (false, 0);
    while let Some(piece) = arriving.blocking_recv() {
        let Some(piece) = piece else {
            is_whole = true;
            break;
        };
        length += piece.len() as u64;
        if length > most {
            return Err(Error::Unfit(format!(
                "the disk that comes from another node is larger than the {most} bytes that it can be"
            )));
        }
        inspector.feed(&piece).map_err(unfit)?;
        file.write_all(&piece).doing(writing)?;
    }
    if !is_whole {
        return Err(Error::NotConnected);
    }
    inspector.finish().map_err(unfit)?;
    file.sync_all().doing(writing)
}

fn unfit(refusal: disks::Refusal) -> Error {
    Error::Unfit(format!("the disk that came from another node is not used: {refusal}"))
}
