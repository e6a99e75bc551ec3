// SPDX-License-Identifier: Apache-2.0
//! The room's door for compute: the volumes of servers. It is where a volume's own door is opened and closed.
//!
//! A volume is open to one node at a time. What is wanted is a column (`door_node`); what is so, its own node says
//! (`door_found`). The door is wanted for another node only when nobody has it any more: the volume's node has said that it is
//! closed. That node asks nobody: it cuts off whoever is elsewhere, and its own machines let go before it says so.
//!
//! Invariant: a volume is never open to two nodes (test: `a_door_moves_only_when_it_was_closed`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use access::{Allowed, Scope, Target};
use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    node::{DoorState, ThingId},
    volumes::{NewVolume, VolumeAsk, VolumeFacts, VolumeSource, VolumeWish, Volumes},
};
use store::{Actor, Tx};
use types::{AttachmentId, NodeId, ProjectId, ServerId, Timestamp, VolumeId};
use work::crash;

use crate::{
    BlockStorage,
    attachment::{self, Attachment},
    error::{Error, Result},
    snapshot,
    volume::{
        self, Volume,
        create::{self, From, Wish},
        delete::{self, With},
        state::{Life, Stage},
    },
};

const COMPUTE: &str = "compute";

impl Volumes for BlockStorage {
    fn plan<'a>(&'a self, caller: &'a Arc<Caller>, wishes: &'a [VolumeWish]) -> BoxFuture<'a, Result<Vec<VolumeAsk>, Refusal>> {
        Box::pin(async move {
            let mut asks = Vec::with_capacity(wishes.len());
            for wish in wishes {
                asks.push(self.planned(caller, wish).await?);
            }
            Ok(asks)
        })
    }

    fn reserve<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        ask: &'a VolumeAsk,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(self.taken(project, server, ask).await.map(drop)?) })
    }

    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        node: &'a NodeId,
        ask: &'a VolumeAsk,
    ) -> BoxFuture<'a, Result<VolumeFacts, Refusal>> {
        Box::pin(async move {
            let volume = self.taken(project, server, ask).await?;
            let volume = self.opened(volume, node).await?;
            Ok(facts(&volume, ask.attachment_id.clone(), None))
        })
    }

    fn plugged<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk, device: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        let device = device.to_owned();
        Box::pin(self.staged(server, ask, "volume.plugged", move |attachment| {
            attachment.stage = Stage::Attached;
            attachment.device = Some(device.clone());
            attachment.attached_at = attachment.attached_at.or(Some(Timestamp::now()));
        }))
    }

    fn unplugging<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.staged(server, ask, "volume.unplugging", |attachment| {
            if attachment.stage == Stage::Attached {
                attachment.stage = Stage::Detaching;
            }
        }))
    }

    fn release<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk, and_delete: bool) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(self.released(server, ask, and_delete).await?) })
    }

    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<VolumeFacts>>, Refusal>> {
        let servers = servers.to_vec();
        Box::pin(async move { Ok(self.store.list(move |tx| of_servers(tx, &servers)).await?) })
    }
}

fn of_servers(tx: &mut Tx, servers: &[ServerId]) -> Result<HashMap<ServerId, Vec<VolumeFacts>>> {
    let attachments = attachment::table::of_servers(tx, servers)?;
    let select = volume::table::select().filter_in("id", attachments.iter().map(|attachment| &attachment.volume_id));
    let volumes: HashMap<VolumeId, Volume> =
        volume::table::rows(tx, &select)?.into_iter().map(|volume| (volume.id.clone(), volume)).collect();
    let mut by_server: HashMap<ServerId, Vec<VolumeFacts>> = HashMap::new();
    for attachment in attachments {
        if let (Some(server), Some(volume)) = (attachment.server_id, volumes.get(&attachment.volume_id)) {
            by_server.entry(ServerId::new(server)).or_default().push(facts(volume, attachment.id, attachment.device));
        }
    }
    Ok(by_server)
}

fn facts(volume: &Volume, attachment_id: AttachmentId, device: Option<String>) -> VolumeFacts {
    let way = volume.door_found.as_ref().and_then(|door| match &door.state {
        DoorState::Open { way } if volume.door_node.as_ref() == Some(&door.node) => Some(way.clone()),
        _ => None,
    });
    VolumeFacts {
        id: volume.id.clone(),
        attachment_id,
        name: volume.name.clone().unwrap_or_default(),
        size: u64::try_from(volume.size).unwrap_or_default(),
        read_only: volume.read_only,
        bootable: volume.bootable,
        node: volume.node_id.clone(),
        way,
        device,
        image: volume.image_metadata.clone(),
    }
}

impl BlockStorage {
    async fn planned(&self, caller: &Arc<Caller>, wish: &VolumeWish) -> Result<VolumeAsk> {
        let project = caller.project_id().ok_or_else(|| Refusal::invalid("Volumes belong to a project; this token has none."))?;
        let asker = self.policies.judge(caller.clone());
        let attachment_id = AttachmentId::generate();
        let refused = |denied: access::Denied| Refusal::new(contracts::RefusalKind::Forbidden, denied.to_string());
        match wish {
            VolumeWish::Volume(id) => {
                let allowed = asker.scope(&crate::volume::policy::SHOW).map_err(refused)?;
                let own = own(&allowed, project)?;
                let wanted = id.clone();
                let volume = self.store.read(move |tx| volume::table::get(tx, &own, &wanted)).await?;
                asker.check(&crate::attachment::policy::CREATE, &Target::in_project(project)).map_err(refused)?;
                if volume.status != "available" {
                    let sentence = format!("volume {id} status must be 'available'. Currently in '{}'.", volume.status);
                    return Err(Error::invalid_volume(sentence));
                }
                Ok(VolumeAsk {
                    volume_id: volume.id,
                    attachment_id,
                    new: None,
                    size: u64::try_from(volume.size).unwrap_or_default(),
                    bootable: volume.bootable,
                    image: volume.image_metadata,
                })
            }
            VolumeWish::New { from, size, volume_type } => {
                let allowed = asker.scope(&crate::volume::policy::CREATE).map_err(refused)?;
                let own = own(&allowed, project)?;
                if matches!(from, VolumeSource::Image(_)) {
                    let policy = &crate::volume::policy::CREATE_FROM_IMAGE;
                    asker.check(policy, &Target::in_project(project)).map_err(refused)?;
                }
                let user_id = caller.user.id.clone();
                let size = size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
                if size.is_some_and(|size| !(1..=create::LARGEST).contains(&size)) {
                    return Err(Error::invalid("A volume has a size from 1 GiB on."));
                }
                let wish = Wish {
                    id: VolumeId::generate(),
                    project: project.clone(),
                    user: user_id.clone(),
                    name: None,
                    description: None,
                    metadata: BTreeMap::new(),
                    volume_type: volume_type.clone(),
                    size,
                    group: None,
                    from: self.source(project, from).await?,
                    allowed: own,
                };
                let id = wish.id.clone();
                let draft = self.store.read(move |tx| create::draft(tx, &wish)).await?;
                Ok(VolumeAsk {
                    volume_id: id,
                    attachment_id,
                    new: Some(NewVolume { from: from.clone(), type_id: draft.type_id, user_id }),
                    size: u64::try_from(draft.size).unwrap_or_default(),
                    bootable: draft.bootable,
                    image: draft.image_metadata,
                })
            }
        }
    }

    async fn source(&self, project: &ProjectId, from: &VolumeSource) -> Result<From> {
        Ok(match from {
            VolumeSource::Blank => From::Blank,
            VolumeSource::Snapshot(id) => From::Snapshot(id.clone()),
            VolumeSource::Volume(id) => From::Volume(id.clone()),
            VolumeSource::Image(id) => From::Image(Box::new(create::image_of(self, project, id).await?)),
        })
    }

    /// The volume, made if it is to be made, and the server's.
    async fn taken(&self, project: &ProjectId, server: &ServerId, ask: &VolumeAsk) -> Result<Volume> {
        let wanted = ask.volume_id.clone();
        let known = self.store.read(move |tx| volume::table::find(tx, &wanted)).await?;
        let made = match (&known, &ask.new) {
            (None, Some(new)) => Some(Wish {
                id: ask.volume_id.clone(),
                project: project.clone(),
                user: new.user_id.clone(),
                name: None,
                description: None,
                metadata: BTreeMap::new(),
                volume_type: Some(new.type_id.clone()),
                size: Some(i64::try_from(ask.size).unwrap_or(i64::MAX)),
                group: None,
                from: self.source(project, &new.from).await?,
                allowed: own(&Allowed::<Scope>::for_work("volume.neighbour"), project)?,
            }),
            _ => None,
        };
        let (id, server, project, attachment_id) =
            (ask.volume_id.clone(), server.clone(), project.clone(), ask.attachment_id.clone());
        let is_new = ask.new.is_some();
        let volume = self
            .store
            .write(move |tx| -> Result<Volume> {
                let actor = Actor::system(COMPUTE);
                let volume = match (volume::table::find(tx, &id)?, &made) {
                    (Some(volume), _) => volume,
                    (None, Some(wish)) => create::insert(tx, &actor, wish)?,
                    (None, None) => return Err(volume::table::missing(&id)),
                };
                if volume.project_id != project {
                    return Err(volume::table::missing(&id));
                }
                if volume.deleting_at.is_some() {
                    return Err(Error::conflict(format!("Volume {id} is being deleted.")));
                }
                let held = attachment::table::of_volume(tx, &id)?;
                if held.iter().any(|held| held.id == attachment_id) {
                    return Ok(volume);
                }
                let is_free = volume.status == "available" || (is_new && volume.is_being_made());
                if !is_free {
                    return Err(Error::conflict(format!("Volume {id} is not available: its status is {}.", volume.status)));
                }
                let attachment = Attachment {
                    id: attachment_id.clone(),
                    volume_id: id.clone(),
                    server_id: Some(server.to_string()),
                    by_compute: true,
                    stage: Stage::Reserved,
                    read_only: volume.read_only,
                    device: None,
                    host: None,
                    connector: None,
                    created_at: Timestamp::now(),
                    attached_at: None,
                };
                attachment::table::insert(tx, &actor, &volume, &attachment)?;
                settle(tx, &volume, "volume.reserve")
            })
            .await?;
        crash::point("volume.recorded");
        self.tell(&volume);
        Ok(volume)
    }

    /// The volume with its door open to this node; unavailable until then.
    async fn opened(&self, volume: Volume, node: &NodeId) -> Result<Volume> {
        let id = &volume.id;
        match volume.life {
            Life::There => {}
            Life::Failed | Life::Missing => {
                let cause = volume.fault.as_deref().unwrap_or("it is in error");
                return Err(Error::conflict(format!("Volume {id} cannot be used: {cause}")));
            }
            Life::Planned | Life::Making => return Err(Refusal::unavailable(format!("Volume {id} is being made.")).into()),
        }
        let is_open = volume.door_node.as_ref() == Some(node) && volume.door_is_as_wanted();
        if is_open {
            return Ok(volume);
        }
        // One node at a time: the next one is wanted when the last has been said to be gone.
        let wanted = match (&volume.door_node, &volume.door_found) {
            (Some(wanted), _) if wanted == node => return Err(self.waits_for_door(&volume)),
            (Some(_), _) => None,
            (None, Some(_)) => return Err(self.waits_for_door(&volume)),
            (None, None) => Some(node.clone()),
        };
        let before = volume.clone();
        let moved = self
            .store
            .write(move |tx| -> Result<Volume> {
                let mut after = before.clone();
                after.door_node.clone_from(&wanted);
                volume::table::save(tx, &Actor::system(COMPUTE), "volume.door", &before, after)
            })
            .await?;
        crash::point("volume.door-moved");
        self.tell(&moved);
        Err(self.waits_for_door(&moved))
    }

    fn waits_for_door(&self, volume: &Volume) -> Error {
        if let Some(node) = &volume.node_id {
            self.nodes.tell(node, &[ThingId::volume(&volume.id)]);
        }
        let cause = volume.door_found.as_ref().and_then(|door| match &door.state {
            DoorState::Failed { cause } => Some(format!(": {cause}")),
            _ => None,
        });
        let sentence = format!("The host of volume {} has not opened it yet{}.", volume.id, cause.unwrap_or_default());
        Refusal::unavailable(sentence).into()
    }

    async fn staged(
        &self,
        server: &ServerId,
        ask: &VolumeAsk,
        verb: &'static str,
        edit: impl Fn(&mut Attachment) + Send + Sync + 'static,
    ) -> Result<(), Refusal> {
        let (id, server) = (ask.attachment_id.clone(), server.to_string());
        let write = self.store.write(move |tx| -> Result<()> {
            let missing = || Error::not_found(format!("Server {server} does not hold the volume any more."));
            let before = attachment::table::find(tx, &id)?.filter(|held| held.server_id.as_ref() == Some(&server));
            let before = before.ok_or_else(missing)?;
            let mut after = before.clone();
            edit(&mut after);
            if after == before {
                return Ok(());
            }
            let volume = volume::table::find(tx, &before.volume_id)?.ok_or_else(missing)?;
            attachment::table::update(tx, &Actor::system(COMPUTE), &volume, &before, &after)?;
            settle(tx, &volume, verb).map(drop)
        });
        Ok(write.await?)
    }

    async fn released(&self, server: &ServerId, ask: &VolumeAsk, and_delete: bool) -> Result<()> {
        let (id, attachment_id, server) = (ask.volume_id.clone(), ask.attachment_id.clone(), server.to_string());
        // First the door, then the note that it is the server's: nobody else gets it between.
        let closing = self
            .store
            .write(move |tx| -> Result<Option<Volume>> {
                let Some(volume) = volume::table::find(tx, &id)? else { return Ok(None) };
                let held = attachment::table::of_volume(tx, &id)?.into_iter().find(|held| held.id == attachment_id);
                let Some(held) = held.filter(|held| held.server_id.as_ref() == Some(&server)) else {
                    // Given back already, or never taken: one that was made for it may still be to go.
                    return Ok(None);
                };
                if volume.door_node.is_some() {
                    let mut after = volume.clone();
                    after.door_node = None;
                    return volume::table::save(tx, &Actor::system(COMPUTE), "volume.door", &volume, after).map(Some);
                }
                if volume.door_found.is_some() {
                    return Ok(Some(volume));
                }
                attachment::table::remove(tx, &Actor::system(COMPUTE), &volume, &held)?;
                let free = settle(tx, &volume, "volume.released")?;
                if and_delete {
                    // Its snapshots and its group are somebody's wish of their own: it stays with them.
                    let has_snapshots = !snapshot::table::of_volume(tx, &free.id)?.is_empty();
                    if !has_snapshots && free.group_id.is_none() {
                        delete::begin(tx, &Actor::system(COMPUTE), &free, true, With::Nothing)?;
                    }
                }
                Ok(None)
            })
            .await?;
        crash::point("volume.released");
        let id = &ask.volume_id;
        match closing {
            Some(volume) if self.is_lost(&volume).await? => {
                let before = volume.clone();
                let closed = self.store.write(move |tx| -> Result<Volume> {
                    let mut after = before.clone();
                    after.door_found = None;
                    volume::table::save(tx, &Actor::system(COMPUTE), "volume.door", &before, after)
                });
                closed.await?;
                Err(Refusal::unavailable(format!("Volume {id} is being given back.")).into())
            }
            Some(volume) => {
                self.tell(&volume);
                if volume.door_found.is_none() {
                    return Err(Refusal::unavailable(format!("Volume {id} is being given back.")).into());
                }
                Err(Refusal::unavailable(format!("The host of volume {id} has not closed it yet.")).into())
            }
            None => {
                self.bell.ring_for([id.as_str()]);
                Ok(())
            }
        }
    }

    /// Whether nobody can have it open and nobody will ever say so: its own node is no host of this cloud any more.
    async fn is_lost(&self, volume: &Volume) -> Result<bool> {
        match &volume.node_id {
            None => Ok(true),
            Some(node) => Ok(self.nodes.get(node).await?.is_none()),
        }
    }
}

fn settle(tx: &mut Tx, volume: &Volume, verb: &str) -> Result<Volume> {
    let mut after = volume.clone();
    after.attach = attachment::table::furthest(tx, &volume.id)?;
    after.forced_status = None;
    volume::table::save(tx, &Actor::system(COMPUTE), verb, volume, after)
}

/// The proof for this project alone: a server's volumes are its own project's, whoever asks.
fn own(allowed: &Allowed<Scope>, project: &ProjectId) -> Result<Allowed<Scope>> {
    allowed.in_project(project).ok_or_else(|| Refusal::not_found("Volumes of this project are not for this caller.").into())
}
