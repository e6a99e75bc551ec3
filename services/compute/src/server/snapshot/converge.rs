// SPDX-License-Identifier: Apache-2.0
//! Brings a snapshot to its end: the image is made, filled by the node, or deleted.

use std::sync::Arc;

use contracts::{BoxFuture, Refusal, RefusalKind, images::Chunks, nodes::SnapshotSink};
use types::{ImageId, NodeId, ServerId};
use work::{Step, crash};

use crate::{
    Compute, Patience,
    error::{Error, Result},
    instance_action::{self, Action},
    server::{
        Server,
        operation::{Ask, Operation, Snapshot, Stage},
        save::save,
        table,
    },
};

impl Compute {
    /// Makes the image, then has the node told.
    pub(super) async fn begin_image(&self, id: &ServerId, image: &ImageId) -> Result<()> {
        let (of, wanted) = (id.clone(), image.clone());
        let read = self.store.read(move |tx| table::find(tx, &of)).await?;
        let Some(snapshot) = read.as_ref().and_then(|server| server.becomes(&wanted)) else { return Ok(()) };
        self.images.ensure_snapshot(&snapshot.order()).await?;
        crash::point("compute.snapshot.image-made");
        self.move_image_on(id, image, "server.create_image.copy", |_, server, patience| {
            server.image_moves(Stage::ImageAsked, Stage::Copying, patience);
            Ok(())
        })
        .await?;
        crash::point("compute.snapshot.node-told");
        Ok(())
    }

    pub(super) async fn fail_image(&self, id: &ServerId, image: &ImageId, cause: String) -> Result<()> {
        self.move_image_on(id, image, "server.create_image.fail", move |tx, server, patience| {
            let is_failing = server.open().is_some_and(|open| open.stage == Stage::ImageFailing);
            if is_failing { Ok(()) } else { server.give_up(tx, &cause, patience) }
        })
        .await?;
        crash::point("compute.snapshot.failed");
        self.bell.ring_for([id.as_str()]);
        Ok(())
    }

    async fn finish_image(&self, id: &ServerId, image: &ImageId) -> Result<()> {
        self.move_image_on(id, image, "server.create_image.done", |tx, server, _| {
            server.operation = server.open().map(|operation| operation.over("done"));
            instance_action::finish(tx, &server.id, Action::CreateImage)
        })
        .await?;
        crash::point("compute.snapshot.done");
        Ok(())
    }

    pub(super) async fn converge_image(&self, server: &Server, operation: &Operation, snapshot: &Snapshot) -> Result<Step> {
        let image = &snapshot.id;
        match operation.stage {
            Stage::ImageAsked => match self.begin_image(&server.id, image).await {
                Err(Error::Refused(refusal)) if !refusal.is_transient() => {
                    self.fail_image(&server.id, image, refusal.message).await?;
                    Ok(Step::Again)
                }
                begun => begun.map(|()| Step::Wait),
            },
            Stage::ImageFailing => {
                self.images.release_snapshot(image).await?;
                crash::point("compute.snapshot.image-released");
                let cause = server.fault.as_ref().map_or_else(|| "given up".to_owned(), |fault| fault.message.clone());
                self.move_image_on(&server.id, image, "server.create_image.gone", move |_, server, _| {
                    server.operation = server.open().map(|operation| operation.over(&cause));
                    Ok(())
                })
                .await?;
                Ok(Step::Settled)
            }
            _ => match self.images.get(None, image).await {
                Ok(facts) if ["active", "deactivated"].contains(&facts.status.as_str()) => {
                    self.finish_image(&server.id, image).await?;
                    Ok(Step::Settled)
                }
                Ok(_) => Ok(Step::Wait),
                Err(refusal) if refusal.kind == RefusalKind::NotFound => {
                    self.fail_image(&server.id, image, "The image was deleted before it had its data.".to_owned()).await?;
                    Ok(Step::Again)
                }
                Err(refusal) => Err(refusal.into()),
            },
        }
    }

    /// The unfinished image of a server that is deleted goes with it.
    pub(in crate::server) async fn release_image(&self, server: &Server) -> Result<()> {
        if let Some(Ask::CreateImage(ask)) = server.open().map(|operation| &operation.ask) {
            self.images.release_snapshot(&ask.image.id).await?;
            crash::point("compute.snapshot.image-released");
        }
        Ok(())
    }

    /// An image that is deleted ends the snapshot that it was to become; one that got its data, too.
    pub(crate) async fn heed_images(self: Arc<Self>) {
        let mut wake = self.store.watch(&["image"]);
        loop {
            wake.wait().await;
            self.bell.ring();
        }
    }

    /// Changes the server's order if it is still the one for this image, and tells its node.
    async fn move_image_on(
        &self,
        id: &ServerId,
        image: &ImageId,
        verb: &'static str,
        change: impl Fn(&mut ::store::Tx, &mut Server, &Patience) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        let (id, image, patience) = (id.clone(), image.clone(), self.patience);
        let write = self.store.write(move |tx| -> Result<_> {
            let before = table::find(tx, &id)?.filter(|server| server.becomes(&image).is_some());
            let Some(before) = before else { return Ok(None) };
            let mut after = before.clone();
            change(tx, &mut after, &patience)?;
            if after.operation == before.operation {
                return Ok(None);
            }
            save(tx, &::store::Actor::system("compute"), verb, &before, after).map(Some)
        });
        write.await?.iter().for_each(|saved| self.tell(saved));
        Ok(())
    }

    /// The server of this node whose disk was asked for, for this image.
    async fn snapshot_of(&self, node: &NodeId, image: &ImageId) -> Result<Option<ServerId>> {
        let (node, image) = (node.clone(), image.clone());
        let find = self.store.list(move |tx| -> Result<_> {
            let servers = table::claimed_by(tx, &node)?.into_iter().filter(|server| server.role_of(&node).is_some());
            let mut asked = servers.filter(|server| server.open().and_then(|open| open.told().image).as_ref() == Some(&image));
            Ok(asked.next().map(|server| server.id))
        });
        find.await
    }

    async fn receive_snapshot(&self, node: &NodeId, image: &ImageId, chunks: Chunks) -> Result<()> {
        let server = self.snapshot_of(node, image).await?;
        let server = server.ok_or_else(|| Error::not_found("No snapshot with this id is wanted of a machine of this node."))?;
        self.move_image_on(&server, image, "server.create_image.send", |_, server, patience| {
            server.image_moves(Stage::Copying, Stage::Uploading, patience);
            server.image_moves(Stage::Copied, Stage::Uploading, patience);
            Ok(())
        })
        .await?;
        crash::point("compute.snapshot.sending");
        if let Err(refusal) = self.images.receive_snapshot(image, chunks).await {
            tracing::warn!(%server, %image, %refusal, "the disk of a server did not become an image");
            if !refusal.is_transient() {
                self.fail_image(&server, image, refusal.message.clone()).await?;
            }
            return Err(refusal.into());
        }
        crash::point("compute.snapshot.received");
        self.finish_image(&server, image).await
    }
}

/// Invariant: a node can fill no image but those that were asked of its own machines (test: `a_node_sends_only_what_was_asked_of_it`).
impl SnapshotSink for Compute {
    fn take_snapshot<'a>(&'a self, node: &'a NodeId, image: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(self.receive_snapshot(node, image, chunks).await?) })
    }
}

impl Server {
    /// What it is to become, if this is the image.
    fn becomes(&self, image: &ImageId) -> Option<&Snapshot> {
        match self.open().map(|operation| &operation.ask) {
            Some(Ask::CreateImage(ask)) if ask.image.id == *image => Some(&ask.image),
            _ => None,
        }
    }

    fn image_moves(&mut self, from: Stage, to: Stage, patience: &Patience) {
        if let Some(open) = self.open().filter(|open| open.stage == from) {
            self.operation = Some(open.at(to, patience));
        }
    }
}
