// SPDX-License-Identifier: Apache-2.0
//! The steps by which volumes are had and given back: each can be taken again.

use contracts::{
    Refusal,
    volumes::{Servers, VolumeFacts},
};
use futures_util::future::join_all;
use store::Actor;
use types::{NodeId, ServerId, VolumeId};
use work::{Step, crash};

use super::{Attached, Reached};
use crate::{
    Compute,
    error::{Error, Result},
    instance_action::{self, Action},
    server::{
        Server,
        claim::{self, Claim},
        state::Life,
    },
};

/// The volumes of a server whose doors are open.
pub(crate) type Opened = Vec<(VolumeId, Reached)>;

impl Compute {
    /// Makes those that are to be made, and opens the doors of all to this node. Unavailable while one is not open yet.
    pub(crate) async fn open_volumes(&self, server: &Server, claims: &[Claim], node: &NodeId) -> Result<Opened, Refusal> {
        let volumes = claims.iter().filter_map(|claim| claim.volume.as_ref());
        let opened = join_all(volumes.map(|volume| self.open_volume(server, volume, node))).await;
        opened.into_iter().collect()
    }

    pub(crate) async fn open_volume(
        &self,
        server: &Server,
        volume: &Attached,
        node: &NodeId,
    ) -> Result<(VolumeId, Reached), Refusal> {
        let facts = self.volumes.ensure(&server.project_id, &server.id, node, &volume.ask).await?;
        let not_yet = || Refusal::unavailable(format!("The door of volume {} is not open yet.", volume.id()));
        Ok((volume.id().clone(), Reached::of(&facts).ok_or_else(not_yet)?))
    }

    /// Tells their room that the server has them.
    pub(crate) async fn note_plugged(&self, server: &ServerId, claims: &[Claim], only: Option<&VolumeId>) -> Result<()> {
        let volumes = claims.iter().filter_map(|claim| claim.volume.as_ref());
        for volume in volumes.filter(|volume| only.is_none_or(|only| only == volume.id())) {
            self.volumes.plugged(server, &volume.ask, &volume.device).await?;
        }
        Ok(())
    }

    /// Gives all back: those that shall go with their server go. What was there before a server that never ran stays: whoever
    /// brought it has not had anything of it yet. False while a door is not closed.
    pub(crate) async fn release_volumes(&self, server: &Server, claims: &[Claim]) -> Result<bool> {
        let volumes = claims.iter().filter_map(|claim| claim.volume.as_ref());
        let goes = |volume: &Attached| volume.delete_on_termination && (server.launched_at.is_some() || volume.ask.new.is_some());
        let released = join_all(volumes.map(|volume| self.volumes.release(&server.id, &volume.ask, goes(volume))));
        let mut all = true;
        for released in released.await {
            match released {
                Ok(()) => {}
                Err(refusal) if refusal.is_transient() => all = false,
                Err(refusal) => return Err(refusal.into()),
            }
        }
        crash::point("compute.server.volumes-released");
        Ok(all)
    }

    /// A volume may have grown, or be reached otherwise: the machine follows.
    pub(crate) async fn follow_volumes(&self, server: &Server, claims: &[Claim]) -> Result<Step> {
        if server.life != Life::Built || claims.iter().all(|claim| claim.volume.is_none()) {
            return Ok(Step::Settled);
        }
        let facts = self.volumes.of_servers(std::slice::from_ref(&server.id)).await?.remove(&server.id).unwrap_or_default();
        let changed: Opened = claims.iter().filter_map(|claim| claim.follows(&facts)).collect();
        if changed.is_empty() {
            return Ok(Step::Settled);
        }
        let grown = changed.iter().filter(|(id, now)| {
            let known = |claim: &&Claim| claim.volume.as_ref().is_some_and(|volume| *volume.id() == *id);
            claims.iter().find(known).and_then(|claim| claim.reached.as_ref()).is_some_and(|known| now.size > known.size)
        });
        let grown = grown.count();
        let change = self.change(server, "server.volumes", move |tx, server| {
            claim::set_volumes(tx, &server.id, &changed)?;
            // Nova hears of it from Cinder, and notes it as something that the server's user did.
            let actor = Actor { user_id: Some(server.user_id.to_string()), ..Actor::system("compute") };
            for _ in 0..grown {
                instance_action::done(tx, &actor, server, Action::ExtendVolume)?;
            }
            server.change_nics();
            Ok(())
        });
        match change.await {
            Ok(_) => Ok(Step::Settled),
            Err(Error::Store(store::Error::Conflict)) => Ok(Step::Conflict),
            Err(error) => Err(error),
        }
    }
}

impl Claim {
    /// How the volume is reached now, if that is not what is known.
    fn follows(&self, facts: &[VolumeFacts]) -> Option<(VolumeId, Reached)> {
        let (volume, known) = (self.volume.as_ref()?, self.reached.as_ref()?);
        let now = Reached::of(facts.iter().find(|facts| facts.id == *volume.id())?)?;
        (now != *known).then(|| (volume.id().clone(), now))
    }
}

impl Servers for Compute {
    fn volumes_changed(&self, servers: &[ServerId]) {
        self.bell.ring_for(servers.iter().map(ServerId::as_str));
    }
}
