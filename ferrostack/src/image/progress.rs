// SPDX-License-Identifier: Apache-2.0
//! How far a long transfer is: a bar on a terminal, a line at its end elsewhere.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use crate::say::{self, say};

const WIDTH: u64 = 30;
const EVERY: Duration = Duration::from_millis(200);
const MB: f64 = 1e6;

pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    done: u64,
    began: Instant,
    shown: Option<Instant>,
    live: bool,
}

impl Progress {
    pub fn new(what: &'static str, total: Option<u64>) -> Self {
        Self { what, total, done: 0, began: Instant::now(), shown: None, live: io::stdout().is_terminal() }
    }

    pub fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.live && self.shown.is_none_or(|shown| shown.elapsed() >= EVERY) {
            self.shown = Some(Instant::now());
            say::piece(&format!("\r\x1b[K  {}", self.line()));
        }
    }

    pub fn end(self) {
        let clear = if self.live { "\r\x1b[K" } else { "" };
        let seconds = self.began.elapsed().as_secs_f64();
        say!("{clear}  + {}: {:.0} MB in {seconds:.1} s", self.what, self.done as f64 / MB);
    }

    fn line(&self) -> String {
        let rate = self.done as f64 / MB / self.began.elapsed().as_secs_f64().max(0.001);
        let done = self.done as f64 / MB;
        let Some(total) = self.total.filter(|total| *total > 0) else {
            return format!("{} {done:.0} MB, {rate:.1} MB/s", self.what);
        };
        let filled = (self.done.min(total) * WIDTH / total) as usize;
        let bar: String = (0..WIDTH as usize).map(|place| if place < filled { '#' } else { '.' }).collect();
        let left = (total.saturating_sub(self.done)) as f64 / MB / rate.max(0.001);
        format!("{} [{bar}] {done:.0} of {:.0} MB, {rate:.1} MB/s, {left:.0} s left", self.what, total as f64 / MB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_transfer_is_done() {
        let mut progress = Progress::new("uploading", Some(200_000_000));
        progress.live = false;
        progress.add(100_000_000);
        let line = progress.line();
        assert!(line.starts_with("uploading [###############...............] 100 of 200 MB, "), "{line}");
        assert!(Progress::new("uploading", None).line().starts_with("uploading 0 MB, "));
        assert!(Progress::new("uploading", Some(0)).line().starts_with("uploading 0 MB, "));
    }
}
