// SPDX-License-Identifier: Apache-2.0
//! One image from where images come from.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use contracts::node::Ticket;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha512};
use tokio::sync::mpsc;
use work::durable;

use super::{Fetch, PARTIAL};
use crate::{
    Error, Result,
    error::{Doing, blocking},
};

const PIECES_AHEAD: usize = 8;

/// Fetches into a file beside, checks, and only then gives it its name.
///
/// Invariant: a file in the cache has the content that its name says (test: `an_image_with_another_hash_is_refused`).
pub(super) async fn fetch(source: &dyn Fetch, ticket: &Ticket, sha512: &str, size: u64, path: &Path) -> Result<()> {
    let mut body = source.open(ticket).await?;
    let (pieces, arriving) = mpsc::channel::<bytes::Bytes>(PIECES_AHEAD);
    let (wanted, path) = (sha512.to_owned(), path.to_owned());
    let receive = async move {
        let mut received = 0;
        while let Some(data) = body.try_next().await? {
            received += data.len() as u64;
            if received > size {
                return Err(Error::Unfit(format!("the image is larger than the {size} bytes that were said")));
            }
            if pieces.send(data).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let store = blocking(move || {
        let partial = path.with_extension(PARTIAL);
        let kept = keep(arriving, &wanted, &partial, &path);
        if kept.is_err() {
            durable::remove_file(&partial).doing(|| format!("remove {}", partial.display()))?;
        }
        kept
    });
    let (received, stored) = tokio::join!(receive, store);
    // A stream that broke off explains a wrong hash, not the other way round.
    received.and(stored)
}

fn keep(mut arriving: mpsc::Receiver<bytes::Bytes>, wanted: &str, partial: &Path, path: &Path) -> Result<()> {
    let writing = || format!("write {}", partial.display());
    durable::remove_file(partial).doing(writing)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial).doing(writing)?;
    let mut hash = Sha512::new();
    while let Some(piece) = arriving.blocking_recv() {
        hash.update(&piece);
        file.write_all(&piece).doing(writing)?;
    }
    let found = hex::encode(hash.finalize());
    if found != wanted {
        return Err(Error::Unfit(format!("the image's data has the SHA-512 {found}, not {wanted}: it was not used")));
    }
    // Machines of all users read it, none writes it.
    file.set_permissions(Permissions::from_mode(0o444)).doing(writing)?;
    file.sync_all().doing(writing)?;
    work::crash::point("node.image.written");
    fs::rename(partial, path).doing(writing)?;
    durable::sync_directory_of(path).doing(writing)
}
