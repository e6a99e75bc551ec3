// SPDX-License-Identifier: Apache-2.0
//! What the same bytes cost without anybody around them.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;

/// So many appends, and one sync for all of them, over and over: appends a second.
pub fn appends(dir: &Path, together: usize, size: usize, length: Duration) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(dir)?;
    let bytes = vec![b'x'; size];
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < length {
        for _ in 0..together {
            file.write_all(&bytes)?;
        }
        file.sync_data()?;
        done += together;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// MiB a second of a file that is written, synced, and hashed by the host's own tool.
pub fn keep_and_hash(dir: &Path, bytes: &Bytes) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir_in(dir)?;
    let path = folder.path().join("floor");
    let began = Instant::now();
    let mut file = File::create(&path)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    let status = Command::new("md5sum").arg(&path).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "md5sum ended with {status}");
    Ok(bytes.len() as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64())
}

/// Content that nothing makes smaller.
pub fn noise(size: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(size);
    while noise.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.into()
}
