// SPDX-License-Identifier: Apache-2.0
//! The volume room, as compute sees it: volumes with doors of which one is open at a time, and never while a machine elsewhere
//! has the disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    node::{DeviceId, Way},
    volumes::{NewVolume, Servers as _, VolumeAsk, VolumeFacts, VolumeSource, VolumeWish, Volumes},
};
use serde::{Deserialize, Serialize};
use types::{AttachmentId, NodeId, ProjectId, ServerId, UserId, VolumeId};

use super::Far;

/// Of these first digits: not free, not bootable, of another tenant.
pub const TAKEN: &str = "cc";
pub const DATA: &str = "dd";
pub const ANOTHERS: &str = "ee";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeKept {
    pub server: Option<String>,
    pub size: u64,
    pub node: Option<String>,
    /// As its room tells its owner.
    pub state: String,
    pub device: Option<String>,
    /// It came to be by a server.
    pub made: bool,
}

impl Far {
    /// Volumes that there are: id, state, and as what its server has it.
    pub fn volume(&self, id: &str) -> Option<VolumeKept> {
        self.kept.lock().unwrap().volumes.get(id).cloned()
    }

    pub fn volumes(&self) -> BTreeMap<String, VolumeKept> {
        self.kept.lock().unwrap().volumes.clone()
    }

    /// Somebody makes a volume longer.
    pub fn extend(&self, id: &str, size: u64) {
        let server = self.change(|kept| {
            let volume = kept.volumes.get_mut(id).unwrap();
            volume.size = size;
            volume.server.clone()
        });
        if let (Some(server), Some(compute)) = (server, self.compute()) {
            compute.volumes_changed(&[ServerId::new(server)]);
        }
    }

    /// Their room rings for servers whenever that may be so.
    pub fn doors_may_have_closed(&self, compute: &crate::Compute) {
        let servers: Vec<ServerId> = self.volumes().into_values().filter_map(|volume| volume.server.map(ServerId::new)).collect();
        compute.volumes_changed(&servers);
    }

    /// Whether a machine on a host has the disk.
    fn has_disk(&self, id: &VolumeId, not_on: Option<&NodeId>) -> bool {
        let disk = DeviceId::disk(id);
        let kept = self.kept.lock().unwrap();
        let others = kept.machines.iter().filter(|(host, _)| not_on.is_none_or(|node| super::node_id(host) != *node));
        others.flat_map(|(_, all)| all.values()).any(|machine| machine.nics.iter().any(|device| device.id == disk))
    }
}

fn facts(id: &str, volume: &VolumeKept, ask: Option<&VolumeAsk>) -> VolumeFacts {
    VolumeFacts {
        id: VolumeId::new(id),
        attachment_id: ask.map_or_else(|| AttachmentId::new("a"), |ask| ask.attachment_id.clone()),
        name: String::new(),
        size: volume.size,
        read_only: false,
        bootable: true,
        node: None,
        way: volume.node.as_ref().map(|_| Way::Here),
        device: volume.device.clone(),
        image: BTreeMap::new(),
    }
}

impl Volumes for Far {
    fn plan<'a>(&'a self, _caller: &'a Arc<Caller>, wishes: &'a [VolumeWish]) -> BoxFuture<'a, Result<Vec<VolumeAsk>, Refusal>> {
        let plan = |wish: &VolumeWish| {
            let (volume_id, new, size) = match wish {
                VolumeWish::Volume(id) => {
                    let taken = self.volume(id.as_str()).is_some_and(|volume| volume.server.is_some());
                    if id.as_str().starts_with(ANOTHERS) {
                        return Err(Refusal::not_found(format!("Volume {id} could not be found.")));
                    }
                    if taken || id.as_str().starts_with(TAKEN) {
                        return Err(Refusal::conflict(format!("volume {id} is not available.")));
                    }
                    (id.clone(), None, 1)
                }
                VolumeWish::New { from, size, .. } => {
                    let new = NewVolume { from: from.clone(), type_id: "t".to_owned(), user_id: UserId::new("u") };
                    (VolumeId::generate(), Some(new), size.unwrap_or(1))
                }
            };
            let bootable = match &new {
                Some(new) => new.from != VolumeSource::Blank,
                None => !volume_id.as_str().starts_with(DATA),
            };
            let attachment_id = AttachmentId::generate();
            let image = BTreeMap::from([("min_ram".to_owned(), "64".to_owned())]);
            Ok(VolumeAsk { volume_id, attachment_id, new, size, bootable, image })
        };
        let planned = wishes.iter().map(plan).collect();
        Box::pin(async move { planned })
    }

    fn reserve<'a>(
        &'a self,
        _project: &'a ProjectId,
        server: &'a ServerId,
        ask: &'a VolumeAsk,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| {
                let new = VolumeKept { size: ask.size, made: ask.new.is_some(), ..VolumeKept::default() };
                let volume = kept.volumes.entry(ask.volume_id.to_string()).or_insert(new);
                match &volume.server {
                    Some(holder) if holder != server.as_str() => Err(Refusal::conflict("It is another server's.")),
                    Some(_) => Ok(()),
                    None => {
                        (volume.server, volume.state) = (Some(server.to_string()), "attaching".to_owned());
                        Ok(())
                    }
                }
            })
        })
    }

    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        node: &'a NodeId,
        ask: &'a VolumeAsk,
    ) -> BoxFuture<'a, Result<VolumeFacts, Refusal>> {
        Box::pin(async move {
            self.reserve(project, server, ask).await?;
            // The door of another host closes only when nobody has the disk there.
            if self.has_disk(&ask.volume_id, Some(node)) {
                return Err(Refusal::unavailable("It is open elsewhere."));
            }
            Ok(self.change(|kept| {
                let volume = kept.volumes.get_mut(ask.volume_id.as_str()).unwrap();
                volume.node = Some(node.to_string());
                facts(ask.volume_id.as_str(), volume, Some(ask))
            }))
        })
    }

    fn plugged<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk, device: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| {
                let volume = kept.volumes.get_mut(ask.volume_id.as_str()).unwrap();
                assert_eq!(volume.server.as_deref(), Some(server.as_str()));
                (volume.state, volume.device) = ("in-use".to_owned(), Some(device.to_owned()));
            });
            Ok(())
        })
    }

    fn unplugging<'a>(&'a self, _server: &'a ServerId, ask: &'a VolumeAsk) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| {
                let volume = kept.volumes.get_mut(ask.volume_id.as_str());
                volume.into_iter().filter(|volume| volume.state == "in-use").for_each(|one| one.state = "detaching".to_owned());
            });
            Ok(())
        })
    }

    fn release<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk, and_delete: bool) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if self.has_disk(&ask.volume_id, None) {
                return Err(Refusal::unavailable("A machine has it."));
            }
            self.change(|kept| {
                let Some(volume) = kept.volumes.get_mut(ask.volume_id.as_str()) else { return };
                if volume.server.as_deref() != Some(server.as_str()) {
                    return;
                }
                let (size, made) = (volume.size, volume.made);
                *volume = VolumeKept { size, made, state: "available".to_owned(), ..VolumeKept::default() };
                if and_delete {
                    kept.volumes.remove(ask.volume_id.as_str());
                }
            });
            Ok(())
        })
    }

    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<VolumeFacts>>, Refusal>> {
        let mut found: HashMap<ServerId, Vec<VolumeFacts>> = HashMap::new();
        for (id, volume) in self.volumes() {
            let holder = servers.iter().find(|server| volume.server.as_deref() == Some(server.as_str()));
            holder.into_iter().for_each(|server| found.entry(server.clone()).or_default().push(facts(&id, &volume, None)));
        }
        Box::pin(async move { Ok(found) })
    }
}
