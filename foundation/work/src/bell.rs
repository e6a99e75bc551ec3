// SPDX-License-Identifier: Apache-2.0
//! A bell: rung any number of times before it is heard, it is heard once.

use std::sync::Arc;

use tokio::sync::Notify;

#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring; one that came before this call counts.
    pub async fn heard(&self) {
        self.0.notified().await;
    }
}
