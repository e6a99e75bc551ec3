// SPDX-License-Identifier: Apache-2.0
//! Nodes that come and go, get another above them, and become larger.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Layer, Source, prefix};
use crate::Result;
use crate::error::Error;
use crate::qmp::Qmp;

/// A node that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Node {
    #[serde(rename = "node-name")]
    pub name: String,
}

#[derive(Deserialize)]
struct Sized {
    #[serde(rename = "node-name")]
    name: String,
    image: Image,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    virtual_size: u64,
}

impl Qmp {
    /// The named nodes of a volume.
    pub async fn nodes_of(&self, volume: Uuid) -> Result<Vec<String>> {
        let nodes: Vec<Node> = self.execute("query-named-block-nodes", json!({ "flat": true })).await?;
        let prefix = prefix(volume);
        Ok(nodes.into_iter().map(|node| node.name).filter(|name| name.starts_with(&prefix)).collect())
    }

    /// Opens a volume, unless it is open; answers the name of its node.
    pub async fn ensure_open(&self, volume: Uuid, source: &Source, read_only: bool) -> Result<String> {
        let name = source.node(volume)?;
        if self.nodes_of(volume).await?.contains(&name) {
            return Ok(name);
        }
        self.execute::<Value>("blockdev-add", source.describe(volume, read_only)?).await?;
        Ok(name)
    }

    /// Closes whatever is open of a volume. Nothing may use it any more.
    pub async fn ensure_closed(&self, volume: Uuid) -> Result<()> {
        self.end_merge(volume).await?;
        loop {
            let nodes = self.nodes_of(volume).await?;
            if nodes.is_empty() {
                return Ok(());
            }
            let (mut refused, mut went) = (None, false);
            // One that another rests on goes after it.
            for node in nodes {
                match self.execute::<Value>("blockdev-del", json!({ "node-name": node })).await {
                    Ok(_) => went = true,
                    Err(error @ Error::Refused { .. }) => refused = Some(error),
                    Err(error) => return Err(error),
                }
            }
            if let (Some(error), false) = (refused, went) {
                return Err(error);
            }
        }
    }

    /// Freezes the highest layer of an open volume by putting an empty one above it. Fine if it is there.
    pub async fn put_above(&self, volume: Uuid, highest: &Source, fresh: &Layer) -> Result<()> {
        let above = fresh.node(volume);
        if self.nodes_of(volume).await?.contains(&above) {
            // Of an attempt that was cut short it can go; in its place it cannot.
            match self.execute::<Value>("blockdev-del", json!({ "node-name": above })).await {
                Ok(_) => {}
                Err(Error::Refused { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let mut node = fresh.describe(false)?;
        (node["node-name"], node["backing"]) = (above.as_str().into(), Value::Null);
        self.execute::<Value>("blockdev-add", node).await?;
        let order = json!({ "node": highest.node(volume)?, "overlay": above });
        self.execute::<Value>("blockdev-snapshot", order).await.map(drop)
    }

    /// How large an open volume is to whoever uses it. None if it is not open.
    pub async fn size_of(&self, volume: Uuid, source: &Source) -> Result<Option<u64>> {
        let name = source.node(volume)?;
        let nodes: Vec<Sized> = self.execute("query-named-block-nodes", json!({ "flat": true })).await?;
        Ok(nodes.into_iter().find(|node| node.name == name).map(|node| node.image.virtual_size))
    }

    /// Takes up that a volume which lies elsewhere has become larger, and tells whoever uses it. What is between must be up.
    pub async fn follow(&self, volume: Uuid, source: &Source, size: u64) -> Result<()> {
        let name = source.node(volume)?;
        // The size is told when a connection begins; one that was lost begins anew with the next request, which a guest that
        // rests does not make.
        let read = format!("qemu-io {name} \"read 0 512\"");
        self.execute::<Value>("human-monitor-command", json!({ "command-line": read })).await?;
        self.grow(volume, source, size).await
    }

    /// Makes an open volume larger, and tells whoever uses it.
    pub async fn grow(&self, volume: Uuid, source: &Source, size: u64) -> Result<()> {
        self.execute::<Value>("block_resize", json!({ "node-name": source.node(volume)?, "size": size })).await.map(drop)
    }
}
