// SPDX-License-Identifier: Apache-2.0
//! How many files this process may open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// No process of ours has use for more, and each counts in the kernel's memory.
const ENOUGH: u64 = 65_536;

/// Raises the number of files that this process may open as far as it may by itself, and answers what it is then.
pub fn raise_file_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    let wanted = hard.min(ENOUGH).max(soft);
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}
