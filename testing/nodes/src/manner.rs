// SPDX-License-Identifier: Apache-2.0
//! What a host offers, and how it fares.

use std::time::Duration;

use contracts::node::Failure;

/// What a host has for machines.
#[derive(Debug, Clone)]
pub struct Offer {
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
}

impl Default for Offer {
    /// A host of today, and not a large one.
    fn default() -> Self {
        Self { vcpus: 64, memory_mb: 256 << 10, disk_gb: 4096 }
    }
}

/// How a host takes on machines, from now on.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// How long each step takes on the way to a running machine: the image, its disk, its ports, its start.
    pub step: Duration,
    /// Every machine that it is to make fails, for this cause and so far on the way.
    pub fails: Option<(String, Failure)>,
    /// It does nothing with what it hears; its session lives.
    pub sleeps: bool,
}
