// SPDX-License-Identifier: Apache-2.0
//! What the controller said of the cloud that this host is a part of, and what follows from it for the host's switch.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use contracts::node::NodeSettings;
use tokio::sync::watch;
use types::{DatabaseMark, NodeId};

use crate::{NodeConfig, switch::Switching};

const SETTLE_AGAIN: Duration = Duration::from_secs(2);

pub(crate) struct Cloud {
    settings: watch::Sender<Option<NodeSettings>>,
    /// What the cloud's database was seen to know, and is told at each connection: it may be an earlier copy then.
    database: Mutex<Option<DatabaseMark>>,
    file: PathBuf,
}

impl Cloud {
    /// As it was known last, by this file.
    pub fn open(file: PathBuf) -> Self {
        let known = fs::read(&file).ok().and_then(|json| serde_json::from_slice(&json).ok());
        Self { settings: watch::Sender::new(None), database: Mutex::new(known), file }
    }

    pub fn settle(&self, settings: NodeSettings) {
        self.settings.send_if_modified(|current| {
            let changed = current.as_ref() != Some(&settings);
            *current = Some(settings);
            changed
        });
    }

    /// The controllers that were told of.
    pub fn controllers(&self) -> Vec<String> {
        self.settings.borrow().as_ref().map_or_else(Vec::new, |settings| settings.controllers.clone())
    }

    pub fn database(&self) -> Option<DatabaseMark> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down how far the cloud's database has come.
    pub fn note_database(&self, told: DatabaseMark) {
        let mut known = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(&told) {
            return;
        }
        if let Some(before) = known.as_ref().filter(|before| before.database != told.database) {
            tracing::warn!(before = %before.database, now = %told.database, "the cloud has another database than before");
        }
        // Less than was written here before is fine: then an earlier copy is noticed late.
        let written = serde_json::to_vec(&told).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|json| fs::write(&self.file, json)) {
            tracing::warn!(%error, "what the cloud's database knows is not written down");
        }
        *known = Some(told);
    }

    /// Tells ovn-controller which cloud it serves, whenever the controller says another one. Runs until it is dropped.
    pub async fn keep_joined(&self, switch: Option<&Switching>, config: &NodeConfig, node: &NodeId) {
        let Some(switch) = switch else { return std::future::pending().await };
        let mut settings = self.settings.subscribe();
        loop {
            let current = settings.borrow_and_update().clone();
            let joined = match &current {
                Some(current) => switch.join_cloud(config, node, current).await,
                None => Ok(()),
            };
            let changed = settings.changed();
            match joined {
                Ok(()) => drop(changed.await),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "the switch does not join the cloud yet");
                    let _ = tokio::time::timeout(SETTLE_AGAIN, changed).await;
                }
            }
        }
    }
}
