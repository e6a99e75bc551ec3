// SPDX-License-Identifier: Apache-2.0
//! What the tasks of all machines share.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Taps;
use crate::{
    board::Board,
    host::Host,
    image::ImageCache,
    lease::Lease,
    link::Link,
    switch::Switching,
    volume::{Bridges, Volumes},
};

const STARTS_A_CORE: usize = 4;
/// Each reads a disk, writes another, and fills a part of the line to the controller.
const COPIES_AT_ONCE: usize = 2;

pub(crate) struct Workshop {
    pub host: Arc<Host>,
    pub board: Arc<Board>,
    pub images: ImageCache,
    pub link: Link,
    pub lease: Lease,
    /// None if the operator wants no switch here.
    pub switch: Option<Arc<Switching>>,
    pub volumes: Volumes,
    pub bridges: Bridges,
    pub taps: Taps,
    /// Lets so many machines start at a time.
    starts: Semaphore,
    /// Lets so many disks be copied and sent at a time.
    copies: Semaphore,
}

impl Workshop {
    pub fn new(
        host: Arc<Host>,
        board: Arc<Board>,
        images: ImageCache,
        link: Link,
        lease: Lease,
        switch: Option<Arc<Switching>>,
        (volumes, bridges): (Volumes, Bridges),
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (starts, copies) = (Semaphore::new(cores * STARTS_A_CORE), Semaphore::new(COPIES_AT_ONCE));
        Self { host, board, images, link, lease, switch, volumes, bridges, taps: Taps::default(), starts, copies }
    }

    /// Waits for its turn to start a machine. When a host comes up with all its machines, each gets there sooner if
    /// not all begin at once.
    pub async fn turn_to_start(&self) -> Option<SemaphorePermit<'_>> {
        self.starts.acquire().await.ok()
    }

    /// Waits for its turn to copy a disk and send it.
    pub async fn turn_to_copy(&self) -> Option<SemaphorePermit<'_>> {
        self.copies.acquire().await.ok()
    }
}
