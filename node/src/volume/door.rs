// SPDX-License-Identifier: Apache-2.0
//! Who may open a volume: one node, by the word of the controller.
//!
//! ```text
//!   nobody ──▶ this node: its machine opens the layers ──▶ the machine lets go ──▶ nobody
//!   nobody ──▶ another node: a storage daemon exports to its certificate ──▶ the daemon ends ──▶ nobody
//! ```
//! The door is the fence: whoever is not let in any more cannot write, whatever he believes. It is closed for one before it is
//! opened for another.
//!
//! Invariant: two never have a volume open to write (test: `a_door_is_closed_for_one_before_it_is_opened_for_another`).

use std::net::{SocketAddr, TcpListener};

use contracts::node::{Door, DoorObserved, DoorState, VolumeDesired, Way};
use qemu::{
    block,
    storage::{Daemon, DaemonSpec, Entrance, Export, shows},
};
use work::crash;

use super::{
    folder::Exported,
    keep::{Holder, Keep},
    task::Task,
};
use crate::{
    Error, Result,
    error::{Doing, blocking},
};

/// Where exports listen, each at a port of its own.
pub(crate) const FIRST_PORT: u16 = 10_809;
const PORTS: u16 = 1024;

impl Task {
    /// Opens and closes as wanted, as far as that can be done now.
    pub(super) async fn tend_door(&self, keep: &mut Keep, desired: &VolumeDesired) -> Result<()> {
        let elsewhere = desired.open_to.as_ref().filter(|door| door.node != self.ground.node);
        if keep.recorded.exported.as_ref().map(|exported| &exported.door) != elsewhere {
            self.end_export(keep).await?;
        }
        match elsewhere {
            // A machine of ours may have it open still; that it has let go wakes us.
            Some(door) if keep.recorded.opened_by.is_none() => self.ensure_export(keep, door).await,
            _ => Ok(()),
        }
    }

    /// What is said of it.
    pub(super) fn door(&self, keep: &Keep, desired: Option<&VolumeDesired>) -> Option<DoorObserved> {
        let here = &self.ground.node;
        let wanted = desired.and_then(|desired| desired.open_to.as_ref());
        if keep.recorded.opened_by.is_some() {
            let stays = wanted.is_some_and(|door| door.node == *here);
            let state = if stays { DoorState::Open { way: Way::Here } } else { DoorState::Closing };
            return Some(DoorObserved { node: here.clone(), state });
        }
        if let Some(exported) = &keep.recorded.exported {
            let state = match &keep.holder {
                _ if wanted != Some(&exported.door) => DoorState::Closing,
                Holder::Daemon(..) => DoorState::Open { way: self.way(keep, exported.port) },
                _ => DoorState::Opening,
            };
            return Some(DoorObserved { node: exported.door.node.clone(), state });
        }
        let door = wanted?;
        let is_open = door.node == *here && keep.is_made();
        let state = if is_open { DoorState::Open { way: Way::Here } } else { DoorState::Opening };
        Some(DoorObserved { node: door.node.clone(), state })
    }

    fn way(&self, keep: &Keep, port: u16) -> Way {
        let address = SocketAddr::new(self.ground.address, port);
        Way::Nbd { address, export: block::export_name(keep.id), peer: self.ground.node.clone() }
    }

    async fn ensure_export(&self, keep: &mut Keep, door: &Door) -> Result<()> {
        if matches!(keep.holder, Holder::Merger(..)) {
            keep.end_merge().await?;
        }
        if let Holder::Daemon(daemon, _) = &keep.holder {
            let daemon = daemon.clone();
            if shows(&keep.folder.run_dir(), &self.ground.tls) {
                return self.let_in(keep, &daemon, door).await;
            }
            // Its certificate ends sooner than ours. Whoever is in comes in again.
            daemon.stop().await?;
            keep.holder = Holder::Nobody;
        }
        let run_dir = keep.folder.run_dir();
        let user = self.ground.users.of(&run_dir);
        if keep.recorded.exported.is_some()
            && let Some(daemon) = Daemon::adopt(&run_dir).await?
        {
            tracing::info!(volume = %keep.id, pid = daemon.pid(), "adopted the volume's storage daemon");
            keep.holder = Holder::Daemon(daemon.clone(), user);
            return self.let_in(keep, &daemon, door).await;
        }
        Daemon::ensure_gone(&run_dir).await?;
        keep.go_through().await?;
        let at = keep.recorded.exported.as_ref().map(|exported| exported.port);
        let (address, last) = (self.ground.address, at);
        let listener = blocking(move || listen(address, last)).await?;
        let port = listener.local_addr().doing(|| "read the export's own address".into())?.port();
        // Written down before anybody can come in: who begins after a crash closes it or goes on with it.
        keep.recorded.exported = Some(Exported { door: door.clone(), port });
        keep.record().await?;
        crash::point("node.volume.exporting");
        keep.hand_to(user.run_as()).await?;
        let entrance = Entrance::Tls { listener, files: self.ground.tls.clone(), peer: door.node.to_string() };
        let daemon = Daemon::start(DaemonSpec { id: keep.id, run_dir, run_as: user.run_as(), entrance }).await?;
        crash::point("node.volume.daemon");
        keep.holder = Holder::Daemon(daemon.clone(), user);
        self.let_in(keep, &daemon, door).await?;
        crash::point("node.volume.exported");
        tracing::info!(volume = %keep.id, node = %door.node, port, "the volume is exported");
        Ok(())
    }

    async fn let_in(&self, keep: &Keep, daemon: &Daemon, door: &Door) -> Result<()> {
        let export = Export { volume: keep.id, source: keep.source(), read_only: door.read_only };
        Ok(daemon.ensure_export(&export).await?)
    }

    /// Whoever was let in is out when this returns.
    pub(super) async fn end_export(&self, keep: &mut Keep) -> Result<()> {
        if keep.recorded.exported.is_none() {
            return Ok(());
        }
        keep.end_merge().await?;
        if let Holder::Daemon(daemon, _) = &keep.holder {
            daemon.stop().await?;
        }
        Daemon::ensure_gone(&keep.folder.run_dir()).await?;
        crash::point("node.volume.closed");
        keep.holder = Holder::Nobody;
        keep.take_back().await?;
        keep.recorded.exported = None;
        keep.record().await?;
        tracing::info!(volume = %keep.id, "the volume is not exported any more");
        Ok(())
    }
}

/// At the port where it was before, if that is free: who comes back looks there.
fn listen(address: std::net::IpAddr, last: Option<u16>) -> Result<TcpListener> {
    let mut taken = None;
    for port in last.into_iter().chain(FIRST_PORT..FIRST_PORT + PORTS) {
        match TcpListener::bind((address, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => taken = Some(error),
            Err(error) => return Err(error).doing(|| format!("listen for other hosts at {address}:{port}")),
        }
    }
    let message = format!("all ports for exports of volumes are taken, from {FIRST_PORT} to {}", FIRST_PORT + PORTS - 1);
    taken.map_or_else(|| Err(Error::Unfit(message.clone())), |error| Err(error).doing(|| message.clone()))
}
