// SPDX-License-Identifier: Apache-2.0
//! What the C library's allocator keeps, and when it gives it back.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::timeout};

/// Blocks from this size on are mapped from the kernel and go back to it when they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 * 1024;

/// To be called first of all, before there are other threads.
///
/// glibc raises this limit to the largest block that was ever freed, and from then on keeps blocks up to that size.
/// Hashing a password takes 19 MiB: after the first logins each thread would hold as much for good, which is more than
/// all the rest of us (measured: 61 MiB with the growing limit, 22 MiB with a fixed one).
pub fn give_large_blocks_back() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    // SAFETY: mallopt stores a number; no other thread is there yet to read it at the same time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// So long without a request, and a load is over.
const QUIET: Duration = Duration::from_secs(10);

/// Gives free memory back to the kernel once a load is over. The allocator keeps it for each thread, between blocks that are
/// still in use, and would keep it for good (measured after logins, long lists and uploads, of 10 MiB when idle: 23 MiB without, 15 MiB with this).
pub async fn give_back_after_loads(asked: Arc<Notify>) {
    loop {
        asked.notified().await;
        while timeout(QUIET, asked.notified()).await.is_ok() {}
        if let Err(error) = tokio::task::spawn_blocking(give_free_blocks_back).await {
            tracing::warn!(%error, "free memory is not given back");
        }
    }
}

fn give_free_blocks_back() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    // SAFETY: malloc_trim takes the allocator's own locks, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
