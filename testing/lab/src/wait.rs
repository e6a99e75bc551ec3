// SPDX-License-Identifier: Apache-2.0
//! Waiting for something to become so, with a deadline and a message that says what did not.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

const PAUSE: Duration = Duration::from_millis(100);

/// Asks until it gets an answer. `Ok(None)` and `Err` both mean "not yet"; the last error tells why in the end.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        let last = match ask() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= deadline {
            let message = format!("waited {within:?} for {what}");
            return Err(last.map_or_else(|| anyhow!(message.clone()), |error| error.context(message.clone())));
        }
        thread::sleep(PAUSE);
    }
}

pub fn wait_until(what: &str, within: Duration, mut ask: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_for(what, within, || Ok(ask()?.then_some(())))
}
