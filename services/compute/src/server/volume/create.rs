// SPDX-License-Identifier: Apache-2.0
//! The volumes that a new server begins with: planned with their room, named, and taken before the request is answered.

use api::{Cx, Fault};
use contracts::{Refusal, RefusalKind, volumes::VolumeWish};
use types::{AttachmentId, ImageId, VolumeId};
use work::crash;

use super::{
    Attached, ROOT, free_device,
    mapping::{Disks, invalid},
};
use crate::{
    Compute,
    error::Result,
    input::Read,
    server::{ImageNote, Server, ask::Ask, save::save},
};

/// Checks the disks with their room. Nothing is made yet.
pub(in crate::server) async fn plan(room: &Compute, cx: &Cx, disks: &Disks) -> Read<Vec<Attached>> {
    if disks.volumes.is_empty() {
        return Ok(Vec::new());
    }
    let wishes: Vec<VolumeWish> = disks.volumes.iter().map(|disk| disk.wish.clone()).collect();
    let planned = room.volumes.plan(cx.caller()?, &wishes).await.map_err(|refusal| match refusal.kind {
        RefusalKind::NotFound | RefusalKind::Conflict | RefusalKind::Invalid => invalid(refusal.message),
        _ => refusal.into(),
    })?;
    let mut taken = Vec::new();
    planned
        .into_iter()
        .zip(&disks.volumes)
        .map(|(ask, disk)| {
            let device = if disk.boots { Some(ROOT.to_owned()) } else { free_device(&taken) };
            let device = device.ok_or_else(|| invalid("a server has no more disks.".to_owned()))?;
            taken.push(device.clone());
            if disk.boots && !ask.bootable {
                return Err(invalid(format!("volume {} is not bootable.", ask.volume_id)));
            }
            let (tag, delete_on_termination) = (disk.tag.clone(), disk.delete_on_termination);
            Ok(Attached { ask, device, boots: disk.boots, tag, delete_on_termination })
        })
        .collect()
}

/// What is known of the image behind a volume from which a server boots.
pub(in crate::server) fn image_of(root: &Attached) -> (ImageId, ImageNote) {
    let image = &root.ask.image;
    let number = |key: &str| image.get(key).and_then(|text| text.parse().ok()).unwrap_or_default();
    let note = ImageNote {
        sha512: String::new(),
        format: String::new(),
        size: 0,
        virtual_size: 0,
        arch: image.get("hw_architecture").or(image.get("architecture")).cloned(),
        min_disk: number("min_disk"),
        min_ram: number("min_ram"),
        properties: image.clone(),
    };
    (ImageId::new(""), note)
}

/// A volume that is there can be one server's only.
pub(in crate::server) fn check_count(ask: &Ask) -> Read<()> {
    let is_there = |wish: &VolumeWish| matches!(wish, VolumeWish::Volume(_));
    if ask.max_count > 1 && ask.disks.volumes.iter().any(|disk| is_there(&disk.wish)) {
        return Err(Fault::bad_request("Cannot attach one or more volumes to multiple instances"));
    }
    Ok(())
}

/// The same for another server after the same template.
pub(in crate::server) fn another(volumes: &[Attached]) -> Vec<Attached> {
    let mut volumes = volumes.to_vec();
    for volume in volumes.iter_mut().filter(|volume| volume.ask.new.is_some()) {
        (volume.ask.volume_id, volume.ask.attachment_id) = (VolumeId::generate(), AttachmentId::generate());
    }
    volumes
}

impl Compute {
    /// Takes the volumes that are there for a server that was written down. If one cannot be had, the server goes, and whoever
    /// asked learns why. Those that are to be made are made with it.
    pub(in crate::server) async fn reserve_first(&self, server: &Server, volumes: &[Attached]) -> Read<()> {
        for volume in volumes.iter().filter(|volume| volume.ask.new.is_none()) {
            let reserved = self.volumes.reserve(&server.project_id, &server.id, &volume.ask).await;
            crash::point("compute.volume.reserved");
            if let Err(refusal) = reserved {
                self.drop_unreserved(server).await?;
                return Err(refused(refusal));
            }
        }
        Ok(())
    }

    async fn drop_unreserved(&self, server: &Server) -> Result<()> {
        let id = server.id.clone();
        let write = self.store.write(move |tx| -> Result<_> {
            let Some(before) = crate::server::table::find(tx, &id)? else { return Ok(()) };
            if before.deleting_at.is_some() || before.deleted_at.is_some() {
                return Ok(());
            }
            let after = Server { deleting_at: Some(types::Timestamp::now()), ..before.clone() };
            save(tx, &::store::Actor::system("compute"), "server.delete", &before, after).map(drop)
        });
        write.await?;
        self.bell.ring_for([server.id.as_str()]);
        Ok(())
    }
}

/// A volume that is somebody else's is a wrong body to Nova.
pub(super) fn refused(refusal: Refusal) -> Fault {
    match refusal.kind {
        RefusalKind::Conflict | RefusalKind::Invalid => Fault::bad_request(format!("Invalid volume: {}", refusal.message)),
        _ => refusal.into(),
    }
}
