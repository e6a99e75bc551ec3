// SPDX-License-Identifier: Apache-2.0
//! Brings a snapshot to its end: the image is made, filled by the node, or deleted.

use std::sync::Arc;

use contracts::{BoxFuture, Refusal, RefusalKind, images::Chunks, nodes::SnapshotSink};
use types::{ImageId, NodeId, ServerId};
use work::{Step, crash};

use super::{Snapshot, Stage, store};
use crate::{
    Compute,
    error::{Error, Result},
    server::{Server, row::COLUMNS, store as table},
};

impl Compute {
    /// Makes the image, then has the node told.
    pub(super) async fn begin_snapshot(&self, id: &ServerId, snapshot: &Snapshot) -> Result<()> {
        self.images.ensure_snapshot(&snapshot.image).await?;
        crash::point("compute.snapshot.image-made");
        let node = self
            .change_snapshot(id, &snapshot.image.id, |tx, server| {
                let is_asked = server.snapshot.as_ref().is_some_and(|snapshot| snapshot.stage == Stage::Asked);
                if is_asked { store::set_stage(tx, server, Stage::Copying) } else { Ok(()) }
            })
            .await?;
        if let Some(node) = node {
            self.nodes.wake(&node);
        }
        crash::point("compute.snapshot.node-told");
        Ok(())
    }

    pub(super) async fn fail_snapshot(&self, id: &ServerId, image: &ImageId, cause: &str) -> Result<()> {
        let cause = cause.to_owned();
        self.change_snapshot(id, image, move |tx, server| store::fail(tx, server, &cause)).await?;
        crash::point("compute.snapshot.failed");
        self.bell.ring();
        Ok(())
    }

    async fn finish_snapshot(&self, id: &ServerId, image: &ImageId) -> Result<()> {
        let node = self.change_snapshot(id, image, store::finish).await?;
        crash::point("compute.snapshot.done");
        if let Some(node) = node {
            self.nodes.wake(&node);
        }
        Ok(())
    }

    pub(crate) async fn converge_snapshot(&self, server: &Server, snapshot: &Snapshot) -> Result<Step> {
        let image = &snapshot.image.id;
        match snapshot.stage {
            Stage::Asked => match self.begin_snapshot(&server.id, snapshot).await {
                Err(Error::Refused(refusal)) if !refusal.is_transient() => {
                    self.fail_snapshot(&server.id, image, &refusal.message).await?;
                    Ok(Step::Again)
                }
                begun => begun.map(|()| Step::Wait),
            },
            Stage::Copying | Stage::Copied | Stage::Sending => match self.images.get(None, image).await {
                Ok(facts) if ["active", "deactivated"].contains(&facts.status.as_str()) => {
                    self.finish_snapshot(&server.id, image).await?;
                    Ok(Step::Settled)
                }
                Ok(_) => Ok(Step::Wait),
                Err(refusal) if refusal.kind == RefusalKind::NotFound => {
                    self.fail_snapshot(&server.id, image, "The image was deleted before it had its data.").await?;
                    Ok(Step::Again)
                }
                Err(refusal) => Err(refusal.into()),
            },
            Stage::Failing => {
                self.images.release_snapshot(image).await?;
                crash::point("compute.snapshot.image-released");
                let node = self.change_snapshot(&server.id, image, |tx, server| store::set(tx, server, None)).await?;
                if let Some(node) = node {
                    self.nodes.wake(&node);
                }
                Ok(Step::Settled)
            }
        }
    }

    /// An image that is deleted ends the snapshot that it was to become; one that got its data, too.
    pub(crate) async fn heed_images(self: Arc<Self>) {
        let mut wake = self.store.watch(&["image"]);
        loop {
            wake.wait().await;
            self.bell.ring();
        }
    }

    /// Changes the server's order if it is still the one for this image. Answers the server's node.
    async fn change_snapshot(
        &self,
        id: &ServerId,
        image: &ImageId,
        change: impl Fn(&mut ::store::Tx, &Server) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Option<NodeId>> {
        let (id, image) = (id.clone(), image.clone());
        self.store
            .write(move |tx| -> Result<_> {
                let server = table::find(tx, &id)?.filter(|server| server.is_taken_for(&image));
                let Some(server) = server else { return Ok(None) };
                change(tx, &server)?;
                Ok(server.node_id)
            })
            .await
    }

    /// The server of this node whose disk was asked for, for this image.
    async fn snapshot_of(&self, node: &NodeId, image: &ImageId) -> Result<Option<ServerId>> {
        let (node, image) = (node.clone(), image.clone());
        self.store
            .list(move |tx| -> Result<_> {
                let select = ::store::Select::new("servers", COLUMNS).filter("node_id = ", &node);
                let asked = select.condition("deleted_at IS NULL AND deleting_at IS NULL AND snapshot IS NOT NULL").rows(tx)?;
                let asked = table::rows(&asked)?
                    .into_iter()
                    .find(|server| server.snapshot.as_ref().and_then(Snapshot::wanted_of_node) == Some(&image));
                Ok(asked.map(|server| server.id))
            })
            .await
    }

    async fn receive_snapshot(&self, node: &NodeId, image: &ImageId, chunks: Chunks) -> Result<()> {
        let server = self.snapshot_of(node, image).await?;
        let server = server.ok_or_else(|| Error::not_found("No snapshot with this id is wanted of a machine of this node."))?;
        self.change_snapshot(&server, image, |tx, server| store::set_stage(tx, server, Stage::Sending)).await?;
        crash::point("compute.snapshot.sending");
        if let Err(refusal) = self.images.receive_snapshot(image, chunks).await {
            tracing::warn!(%server, %image, %refusal, "the disk of a server did not become an image");
            if !refusal.is_transient() {
                self.fail_snapshot(&server, image, &refusal.message).await?;
            }
            return Err(refusal.into());
        }
        crash::point("compute.snapshot.received");
        self.finish_snapshot(&server, image).await
    }
}

/// Invariant: a node can fill no image but those that were asked of its own machines (test: `a_node_sends_only_what_was_asked_of_it`).
impl SnapshotSink for Compute {
    fn take_snapshot<'a>(&'a self, node: &'a NodeId, image: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(self.receive_snapshot(node, image, chunks).await?) })
    }
}

impl Server {
    fn is_taken_for(&self, image: &ImageId) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| snapshot.image.id == *image)
    }
}
