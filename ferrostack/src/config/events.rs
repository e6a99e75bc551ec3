// SPDX-License-Identifier: Apache-2.0
//! `[events]`: how long it is remembered who changed what.

use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Older ones are deleted.
    pub keep_days: u32,
    /// Beyond these newest ones the others are deleted, too, however young they are: the disk's bound.
    pub keep_at_most: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self { keep_days: 90, keep_at_most: 1_000_000 }
    }
}

impl Events {
    pub fn check(&self) -> anyhow::Result<()> {
        if self.keep_days == 0 || self.keep_at_most < 1_000 {
            bail!("[events] keep_days is at least 1 and keep_at_most at least 1000: nodes and controllers read on from there");
        }
        Ok(())
    }

    pub fn age(&self) -> Duration {
        DAY * self.keep_days
    }
}
