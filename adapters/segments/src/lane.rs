// SPDX-License-Identifier: Apache-2.0
//! Where the next pieces go: the one segment that takes them now.

use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::statvfs::statvfs;

use crate::{Error, error::Doing, layout, piece::Extent, segment::Segment, segments::Inner};

#[derive(Default)]
pub struct Lane {
    now: Mutex<Option<Arc<Segment>>>,
}

impl Lane {
    /// Room for a piece of so many bytes.
    pub fn reserve(&self, inner: &Inner, capacity: u64) -> Result<Extent, Error> {
        let bytes = layout::extent(capacity);
        enough_is_free(inner, bytes)?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = now.as_ref().and_then(|segment| Some((segment.clone(), segment.take(bytes, inner.settings.segment)?)));
        let (segment, offset) = match taken {
            Some(taken) => taken,
            None => {
                let segment = inner.underway.begin()?;
                let offset = segment.take(bytes, inner.settings.segment).ok_or(Error::CutOff)?;
                *now = Some(segment.clone());
                (segment, offset)
            }
        };
        Ok(Extent::new(segment, offset, capacity))
    }
}

fn enough_is_free(inner: &Inner, bytes: u64) -> Result<(), Error> {
    let folder = inner.files.folder();
    let space = statvfs(folder).doing(|| format!("ask how much is free in {}", folder.display()))?;
    let free = space.blocks_available().saturating_mul(space.fragment_size());
    if free < inner.settings.keep_free.saturating_add(bytes) { Err(Error::Full(folder.to_owned())) } else { Ok(()) }
}
