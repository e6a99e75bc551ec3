// SPDX-License-Identifier: Apache-2.0
//! What a start does about segments that were being written when the process or the power went.

use crate::{
    Error,
    error::Doing,
    files::{CLOSED, Files, OPEN},
    layout::PAGE,
    scan::{self, Found},
};

/// Takes away what no head claims: it was never whole, so that its place was never told to anybody. Pieces that are whole stay,
/// whoever has them or not. Nothing more is written to these files.
pub fn close_what_was_open(files: &Files) -> Result<(), Error> {
    for number in files.list(OPEN)? {
        let path = files.path(number, OPEN);
        let Some(opened) = files.get(number).or_else(|error| half_begun(&error, &path))? else { continue };
        let (mut pieces, mut torn) = (0_u64, 0_u64);
        scan::walk(&opened, number, PAGE, |found| {
            match found {
                Found::Piece { .. } => pieces += 1,
                Found::Unclaimed { offset } => {
                    scan::punch(&opened.file, offset, PAGE)?;
                    torn += PAGE;
                }
            }
            Ok(true)
        })?;
        opened.file.sync_all().doing(|| format!("sync {}", path.display()))?;
        files.forget(number);
        if pieces == 0 {
            std::fs::remove_file(&path).doing(|| format!("remove {}", path.display()))?;
        } else {
            std::fs::rename(&path, files.path(number, CLOSED)).doing(|| format!("close {}", path.display()))?;
        }
        let segment = format!("{number:016x}");
        tracing::info!(segment, pieces, torn, "a segment of objects was open when the process before ended");
    }
    files.sync_folder()
}

/// A file whose head was not written to its end has nothing behind it: the head is durable before the first piece.
fn half_begun<T>(error: &Error, path: &std::path::Path) -> Result<Option<T>, Error> {
    let length = std::fs::metadata(path).map(|meta| meta.len());
    match (error, length) {
        (Error::Foreign(_), Ok(length)) if length <= PAGE => {
            std::fs::remove_file(path).doing(|| format!("remove {}", path.display()))?;
            Ok(None)
        }
        _ => Err(Error::Foreign(path.to_owned())),
    }
}
