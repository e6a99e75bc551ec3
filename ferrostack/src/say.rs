// SPDX-License-Identifier: Apache-2.0
//! What our verbs say. Whoever reads may stop reading: `ferrostack up | head` goes on and says the rest to nobody, where
//! `println!` would end it by a panic in the middle of what it makes. (Verbs that only tell end with their reader: `pipe`.)

use std::io::{self, Write};

use anyhow::Context;

/// `println!` for a verb that does something.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(&format!($($text)*)) };
}

/// `eprintln!`, likewise.
macro_rules! complain {
    ($($text:tt)*) => { $crate::say::complaint(&format!($($text)*)) };
}

pub(crate) use {complain, say};

pub fn line(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// A piece of a line that is still to be written on, or over.
pub fn piece(text: &str) {
    let mut out = io::stdout();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

pub fn complaint(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A line that is the very outcome, such as a password that was drawn: that it could not be said is a failure.
pub fn outcome(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("print the outcome; nobody has read it")
}
