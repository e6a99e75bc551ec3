// SPDX-License-Identifier: Apache-2.0
//! Crash points: places before and after each step of long work where a test can end the process.
//!
//! `FERROSTACK_CRASH=compute.port.ensured` ends the process the first time it passes that point, as abruptly as
//! `kill -9`; `compute.port.ensured:3` the third time. Without the variable a point costs one relaxed load.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

struct Trap {
    name: String,
    left: AtomicU32,
}

static TRAP: OnceLock<Option<Trap>> = OnceLock::new();

pub fn point(name: &str) {
    let Some(trap) = TRAP.get_or_init(read_environment) else { return };
    if trap.name == name && trap.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        // No destructor runs and nothing is flushed, as with SIGKILL.
        std::process::abort();
    }
}

fn read_environment() -> Option<Trap> {
    let text = std::env::var("FERROSTACK_CRASH").ok().filter(|text| !text.is_empty())?;
    let (name, count) = match text.rsplit_once(':') {
        Some((name, count)) => (name.to_owned(), count.parse().unwrap_or(1)),
        None => (text, 1),
    };
    Some(Trap { name, left: AtomicU32::new(count) })
}
