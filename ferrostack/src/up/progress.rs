// SPDX-License-Identifier: Apache-2.0
//! What a person sees while `up` works: one line a step, with its time.

use std::{
    cell::RefCell,
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
    /// It is otherwise, it is not for `up` to change that, and this is how it is.
    Otherwise(T, String),
}

/// What a step has to say while it works: the latest of it.
#[derive(Default)]
pub struct Telling(RefCell<String>);

impl Telling {
    pub fn say(&self, text: impl Into<String>) {
        *self.0.borrow_mut() = text.into();
    }

    /// As much as fits into a line of a terminal.
    fn after(&self, seconds: f64) -> String {
        let text = self.0.borrow();
        let separator = if text.is_empty() { "" } else { ": " };
        format!("({seconds:.0} s){separator}{}", text.chars().take(LONGEST).collect::<String>())
    }
}

const TICK: Duration = Duration::from_millis(500);
/// How often it is said where there is no terminal to say it on.
const TOLD_EVERY: Duration = Duration::from_secs(15);
const LONGEST: usize = 60;

impl<T> Outcome<T> {
    pub fn of(made: bool, value: T) -> Self {
        if made { Self::Made(value) } else { Self::Found(value) }
    }
}

/// Runs a step and says what became of it. On a terminal a step that takes long counts its seconds.
pub async fn step<T>(what: &str, work: impl Future<Output = anyhow::Result<Outcome<T>>>) -> anyhow::Result<T> {
    step_telling(what, &Telling::default(), work).await
}

/// The same for a step that tells how far it is.
pub async fn step_telling<T>(
    what: &str,
    telling: &Telling,
    work: impl Future<Output = anyhow::Result<Outcome<T>>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let live = io::stdout().is_terminal();
    tokio::pin!(work);
    let every = if live { TICK } else { TOLD_EVERY };
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            _ = ticks.tick() => match telling.after(started.elapsed().as_secs_f64()) {
                said if live => say::piece(&format!("\r\x1b[K  … {what} {said}")),
                said => say!("  … {what} {said}"),
            },
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
        Ok(Outcome::Otherwise(value, how)) => {
            say!("{clear}  ! {what}: {how}");
            Ok(value)
        }
        Err(error) => {
            say!("{clear}  ! {what}");
            Err(error.context(format!("{what} failed")))
        }
    }
}
