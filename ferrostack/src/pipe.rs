// SPDX-License-Identifier: Apache-2.0
//! `ferrostack routes | head`: whoever reads may stop reading.
#![allow(unsafe_code)]

use nix::sys::signal::{SigHandler, Signal, signal};

/// Ends this process quietly, as other programs end, when nobody reads what it prints. For the verbs that only tell;
/// a daemon, or a verb that is in the middle of making something, goes on.
pub fn end_with_the_reader() {
    // SAFETY: this sets no handler of ours; it takes back that Rust's runtime ignores the signal, before any thread is begun.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}
