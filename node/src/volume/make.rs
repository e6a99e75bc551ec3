// SPDX-License-Identifier: Apache-2.0
//! A volume is made: once, and all that it rests on has its name in the volume's folder before the first word of it is written down.

use contracts::node::{Origin, VolumeDesired, VolumeState};
use disks::{Format, layer, overlay::Base};
use uuid::Uuid;
use work::crash;

use super::{
    folder::{BASE, Layer},
    keep::Keep,
    task::Task,
    uuid_of,
};
use crate::{Error, Result, error::blocking, image::Needed};

impl Task {
    /// From nothing to a volume that is there for good.
    ///
    /// Invariant: a volume that was made and is missing is not made anew (test:
    /// `a_volume_that_is_missing_is_said_to_be_and_not_made_anew`).
    pub(super) async fn make(&self, keep: &mut Keep, desired: &VolumeDesired) -> Result<()> {
        if desired.made {
            return Err(Error::VolumeMissing { path: keep.folder.dir().to_owned() });
        }
        let folder = keep.folder.clone();
        blocking(move || folder.clear()).await?;
        let below = match &desired.from {
            Origin::Blank => Vec::new(),
            Origin::Image { sha512, format, image_size, ticket, .. } => {
                self.report(keep, VolumeState::Preparing { step: "image".into() });
                let format =
                    format.parse().map_err(|_| Error::Unfit(format!("no volume is made of an image of format {format}")))?;
                let (sha512, ticket) = (sha512.clone(), Some(ticket.clone()));
                let needed = Needed { sha512, size: *image_size, format, disk: desired.size, ticket };
                self.rest_on_image(keep, &needed).await?
            }
            Origin::Snapshot { volume_id, snapshot_id } => {
                self.rest_on(keep, uuid_of(volume_id)?, |source| {
                    let layer = source.recorded.snapshots.get(snapshot_id).cloned();
                    layer
                        .ok_or_else(|| Error::Unfit(format!("the volume {volume_id} has no snapshot {snapshot_id} on this host")))
                })
                .await?
            }
            Origin::Volume { volume_id } => self.rest_on_volume(keep, uuid_of(volume_id)?).await?,
        };
        self.report(keep, VolumeState::Preparing { step: "layer".into() });
        crash::point("node.volume.shared");
        let fresh = Layer::fresh();
        let (folder, size, made, under) = (keep.folder.clone(), desired.size, fresh.clone(), below.last().cloned());
        let created = blocking(move || {
            let path = folder.path(&made);
            let created = match under {
                None => layer::create_blank(&path, size),
                Some(under) => {
                    let format = if under.is_raw { Format::Raw } else { Format::Qcow2 };
                    layer::create_above(&path, Base { path: &folder.path(&under), format }, size)
                }
            };
            created.map_err(|error| Error::from(error).if_full(folder.dir(), || "a volume begins there".into()))
        });
        created.await?;
        crash::point("node.volume.made");
        keep.recorded.layers = below.into_iter().chain([fresh]).collect();
        keep.record().await
    }

    async fn rest_on_image(&self, keep: &Keep, needed: &Needed) -> Result<Vec<Layer>> {
        let images = self.ground.images.clone();
        let ready = images.ensure(needed).await?;
        let base = Layer { id: BASE.into(), is_raw: matches!(ready.format, Format::Raw | Format::Iso) };
        let (folder, shared) = (keep.folder.clone(), base.clone());
        blocking(move || folder.share(&ready.path, &shared)).await?;
        Ok(vec![base])
    }

    /// On what a volume is like now, which is frozen for it.
    async fn rest_on_volume(&self, keep: &Keep, source: Uuid) -> Result<Vec<Layer>> {
        let volume = self.volumes.find(source).filter(|_| source != keep.id);
        let volume = volume.ok_or_else(|| Error::Unfit(format!("there is no volume {source} on this host to clone")))?;
        {
            let mut source = volume.keep.lock().await;
            source.freeze(None).await?;
        }
        crash::point("node.volume.cloning");
        self.rest_on(keep, source, |source| {
            let frozen = source.recorded.layers.iter().rev().nth(1).map(|layer| layer.id.clone());
            frozen.ok_or_else(|| Error::Unfit("the volume to clone has not been made".into()))
        })
        .await
    }

    /// On the layers of another volume, up to this one.
    async fn rest_on(&self, keep: &Keep, source: Uuid, up_to: impl FnOnce(&Keep) -> Result<String>) -> Result<Vec<Layer>> {
        let volume = self.volumes.find(source).filter(|_| source != keep.id);
        let volume = volume.ok_or_else(|| Error::Unfit(format!("there is no volume {source} on this host to clone")))?;
        // Nobody merges or removes its layers meanwhile, nor may anybody write them from now on.
        let mut source = volume.keep.lock().await;
        source.end_merge().await?;
        let highest = up_to(&source)?;
        let mut shared = Vec::new();
        for layer in &source.recorded.layers {
            shared.push((source.folder.path(layer), layer.clone()));
            if layer.id == highest {
                break;
            }
        }
        let layers = shared.iter().map(|(_, layer)| layer.clone()).collect();
        let folder = keep.folder.clone();
        blocking(move || {
            for (path, layer) in shared {
                folder.share(&path, &layer)?;
            }
            folder.sync()
        })
        .await?;
        Ok(layers)
    }
}
