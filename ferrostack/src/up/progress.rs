// SPDX-License-Identifier: Apache-2.0
//! What a person sees while `up` works: one line a step, with its time.

use std::{
    future::Future,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Whether a step found things as they should be or made them so.
pub enum Outcome<T> {
    Found(T),
    Made(T),
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
                    print!("\r  … {what} ({:.0} s)", started.elapsed().as_secs_f64());
                    let _ = io::stdout().flush();
                }
            }
        }
    };
    let clear = if live { "\r\x1b[K" } else { "" };
    let seconds = started.elapsed().as_secs_f64();
    match outcome {
        Ok(Outcome::Found(value)) => {
            println!("{clear}  = {what}: as it should be");
            Ok(value)
        }
        Ok(Outcome::Made(value)) => {
            println!("{clear}  + {what} ({seconds:.1} s)");
            Ok(value)
        }
        Err(error) => {
            println!("{clear}  ! {what}");
            Err(error.context(format!("{what} failed")))
        }
    }
}
