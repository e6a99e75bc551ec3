// SPDX-License-Identifier: Apache-2.0
//! One setting of the C library's allocator.

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
