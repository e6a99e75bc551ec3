// SPDX-License-Identifier: Apache-2.0
//! What a person sees while `up` works: one line a step, with its time.

use std::{
    future::Future,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use crate::say::{self, say};

/// Whether a step found things as they should be or made them so.
pub enum Outcome<T> {
    Found(T),
    Made(T),
    /// It was something else before: from what to what.
    Changed(T, String),
}

impl<T> Outcome<T> {
    pub fn of(made: bool, value: T) -> Self {
        if made { Self::Made(value) } else { Self::Found(value) }
    }
}

/// Runs a step and says what became of it. On a terminal a step that takes long counts its seconds.
pub async fn step<T>(what: &str, work: impl Future<Output = anyhow::Result<Outcome<T>>>) -> anyhow::Result<T> {
    let started = Instant::now();
    let live = io::stdout().is_terminal();
    tokio::pin!(work);
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            _ = ticks.tick() => {
                if live {
                    say::piece(&format!("\r  … {what} ({:.0} s)", started.elapsed().as_secs_f64()));
                }
            }
        }
    };
    let clear = if live { "\r\x1b[K" } else { "" };
    let seconds = started.elapsed().as_secs_f64();
    match outcome {
        Ok(Outcome::Found(value)) => {
            say!("{clear}  = {what}: as it should be");
            Ok(value)
        }
        Ok(Outcome::Made(value)) => {
            say!("{clear}  + {what} ({seconds:.1} s)");
            Ok(value)
        }
        Ok(Outcome::Changed(value, how)) => {
            say!("{clear}  ~ {what}: {how} ({seconds:.1} s)");
            Ok(value)
        }
        Err(error) => {
            say!("{clear}  ! {what}");
            Err(error.context(format!("{what} failed")))
        }
    }
}
