// SPDX-License-Identifier: Apache-2.0
//! A volume that lies on another host comes to a machine of this one over a bridge: a storage daemon that shows this host's certificate
//! over there, and has a socket here that one machine may use.
//!
//! A machine's own QEMU does not do that, for it would need the key by which this host is known: who breaks out of a guest would
//! be this host for all others. A bridge that is lost, or whose other end is, comes back while the machine's requests wait.

use std::{
    collections::HashMap,
    fs::{self, Permissions},
    io,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::node::{DiskDesired, Way};
use qemu::{
    RunAs, RunDir,
    block::{Remote, Source},
    storage::{Daemon, DaemonSpec, Entrance, Export, TlsFiles, shows},
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use types::VolumeId;
use uuid::Uuid;
use work::{crash, durable};

use super::{users::Users, uuid_of};
use crate::{
    Error, Result,
    error::{Doing, blocking},
    state_dir,
};

/// For the first time; later its machine's requests wait, or the machine does.
const COMES_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether this host's certificate is another by now.
const CERTIFICATE_CLOCK: Duration = Duration::from_secs(12 * 3600);
const AGAIN: Duration = Duration::from_millis(500);

pub(crate) struct Bridges {
    dir: PathBuf,
    tls: TlsFiles,
    users: Users,
    built: Mutex<HashMap<Uuid, Bridge>>,
}

/// Whether it leads there, or why not; none until that was tried.
type IsUp = Option<std::result::Result<(), Arc<Error>>>;

/// One that is kept up until this is dropped.
struct Bridge {
    plan: Plan,
    is_up: watch::Receiver<IsUp>,
    keeper: JoinHandle<()>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    volume: Uuid,
    to: Remote,
    read_only: bool,
    size: u64,
    user: RunAs,
    socket: PathBuf,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Bridges {
    pub fn new(dir: PathBuf, tls: TlsFiles, first_uid: u32) -> Self {
        Self { dir, tls, users: Users::new(first_uid.saturating_sub(super::users::DAEMONS)), built: Mutex::default() }
    }

    /// The socket by which the machine's user reaches the volume, once it leads there. `folder` is where it shall be.
    pub async fn ensure(&self, disk: &DiskDesired, folder: &Path, user: RunAs) -> Result<Source> {
        let (socket, mut is_up) = self.plan(disk, folder, user)?;
        let outcome = timeout(COMES_WITHIN, is_up.wait_for(|up| matches!(up, Some(Ok(()))))).await.map(drop);
        if outcome.is_ok() {
            return Ok(Source::Socket(from_the_machine(&socket)));
        }
        let why = is_up.borrow().clone();
        let why = why.and_then(std::result::Result::err).map_or_else(|| "it does not answer".to_owned(), |error| error.chain());
        Err(io::Error::other(why)).doing(|| format!("reach the volume {}", disk.volume_id))
    }

    /// The same for a machine that has it: nobody waits, for its requests do.
    pub fn keep_up(&self, disk: &DiskDesired, folder: &Path, user: RunAs) -> Result<Source> {
        let (socket, _) = self.plan(disk, folder, user)?;
        Ok(Source::Socket(from_the_machine(&socket)))
    }

    fn plan(&self, disk: &DiskDesired, folder: &Path, user: RunAs) -> Result<(PathBuf, watch::Receiver<IsUp>)> {
        let Way::Nbd { address, peer, .. } = &disk.way else {
            return Err(Error::Unfit("a volume of this host needs no bridge".into()));
        };
        let volume = uuid_of(&disk.volume_id)?;
        let socket = socket_of(folder, volume);
        let to = Remote { host: address.ip().to_string(), port: address.port(), peer: peer.to_string() };
        let plan = Plan { volume, to, read_only: disk.read_only, size: disk.size, user, socket: socket.clone() };
        Ok((socket, self.build(plan)))
    }

    fn build(&self, plan: Plan) -> watch::Receiver<IsUp> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = built.get(&plan.volume).filter(|there| there.plan == plan) {
            return there.is_up.clone();
        }
        // One of another plan is dropped first, and its daemon goes when the next looks for it.
        let is_another = built.remove(&plan.volume).is_some();
        let (told, is_up) = watch::channel(None);
        let run_dir = self.run_dir(plan.volume);
        let keeper = Keeper { plan: plan.clone(), run_dir, tls: self.tls.clone(), users: self.users.clone() };
        let keeper = tokio::spawn(async move { keeper.keep(is_another, &told).await });
        built.insert(plan.volume, Bridge { plan, is_up: is_up.clone(), keeper });
        is_up
    }

    /// Nothing of it is left when this returns. Fine if there is none.
    pub async fn release(&self, volume: &VolumeId) -> Result<()> {
        let volume = uuid_of(volume)?;
        let there = self.built.lock().unwrap_or_else(PoisonError::into_inner).remove(&volume);
        if let Some(mut there) = there {
            there.keeper.abort();
            let _ = (&mut there.keeper).await;
            let socket = there.plan.socket.clone();
            blocking(move || durable::remove_file(&socket).doing(|| format!("remove {}", socket.display()))).await?;
        }
        Ok(Daemon::ensure_gone(&self.run_dir(volume)).await?)
    }

    fn run_dir(&self, volume: Uuid) -> RunDir {
        RunDir::new(self.dir.join(volume.to_string()))
    }
}

struct Keeper {
    plan: Plan,
    run_dir: RunDir,
    tls: TlsFiles,
    users: Users,
}

impl Keeper {
    async fn keep(&self, is_another: bool, told: &watch::Sender<IsUp>) {
        let user = self.users.of(&self.run_dir);
        let mut may_adopt = !is_another;
        loop {
            match self.bridge(user.run_as(), may_adopt).await {
                Ok(daemon) => {
                    told.send_replace(Some(Ok(())));
                    while timeout(CERTIFICATE_CLOCK, daemon.ended()).await.is_err() && shows(&self.run_dir, &self.tls) {}
                    tracing::warn!(volume = %self.plan.volume, "a bridge to another host's volume has gone or shows an old certificate: another one takes its place");
                }
                Err(error) => {
                    tracing::warn!(volume = %self.plan.volume, error = error.chain(), "another host's volume is not reached");
                    told.send_if_modified(|up| {
                        let was_up = matches!(up, Some(Ok(())));
                        if !was_up {
                            *up = Some(Err(Arc::new(error)));
                        }
                        !was_up
                    });
                    tokio::time::sleep(AGAIN).await;
                }
            }
            may_adopt = false;
        }
    }

    async fn bridge(&self, run_as: RunAs, may_adopt: bool) -> Result<Daemon> {
        let Plan { volume, to, read_only, .. } = &self.plan;
        let export = Export { volume: *volume, source: Source::Remote(to.clone()), read_only: *read_only };
        // It was built for this very plan before we were: where it leads is written down with the machine.
        if may_adopt
            && self.plan.socket.exists()
            && shows(&self.run_dir, &self.tls)
            && let Some(daemon) = Daemon::adopt(&self.run_dir).await?
        {
            tracing::info!(%volume, pid = daemon.pid(), "adopted a bridge to another host's volume");
            if self.leads_there(&daemon).await? {
                daemon.ensure_export(&export).await?;
                return Ok(daemon);
            }
        }
        Daemon::ensure_gone(&self.run_dir).await?;
        let (socket, user) = (self.plan.socket.clone(), self.plan.user);
        let listener = blocking(move || listen(&socket, user)).await?;
        crash::point("node.bridge.listening");
        let entrance = Entrance::Machine { listener, files: self.tls.clone() };
        let daemon = Daemon::start(DaemonSpec { id: *volume, run_dir: self.run_dir.clone(), run_as, entrance }).await?;
        crash::point("node.bridge.started");
        if let Err(error) = daemon.ensure_export(&export).await {
            daemon.stop().await?;
            return Err(error.into());
        }
        Ok(daemon)
    }

    /// One that was built by an earlier agent may lead to where the volume was before.
    async fn leads_there(&self, daemon: &Daemon) -> Result<bool> {
        let nodes: Vec<serde_json::Value> =
            daemon.qmp().execute("query-named-block-nodes", serde_json::json!({ "flat": true })).await?;
        let Remote { host, port, .. } = &self.plan.to;
        let at = format!("{host}:{port}");
        // Without one it has not led anywhere yet.
        Ok(nodes.is_empty()
            || nodes.iter().any(|node| node["file"].as_str().is_some_and(|file| leads_to(file, &at, host, *port))))
    }
}

/// QEMU says it as an address or, where that has no room for all that was said, as JSON.
fn leads_to(file: &str, at: &str, host: &str, port: u16) -> bool {
    let said: Option<serde_json::Value> = file.strip_prefix("json:").and_then(|json| serde_json::from_str(json).ok());
    match said {
        Some(said) => {
            let field = |name: &str| {
                let nested = said["server"][name].as_str().or_else(|| said[format!("server.{name}")].as_str());
                nested.map(str::to_owned)
            };
            field("host").as_deref() == Some(host) && field("port") == Some(port.to_string())
        }
        None => file.contains(at),
    }
}

fn socket_of(folder: &Path, volume: Uuid) -> PathBuf {
    folder.join(&volume.simple().to_string()[..9])
}

/// From where QEMU stands, in the run directory beside the folder: a socket's path may be only so long.
fn from_the_machine(socket: &Path) -> PathBuf {
    let parts: Vec<_> = socket.iter().rev().take(2).collect();
    parts.iter().rev().fold(PathBuf::from(".."), |path, part| path.join(part))
}

/// A socket that this user, and nobody else, may use.
fn listen(socket: &Path, user: RunAs) -> Result<UnixListener> {
    let listening = || format!("listen on {}", socket.display());
    let listen = || -> io::Result<UnixListener> {
        if let Some(folder) = socket.parent() {
            state_dir::make(folder, 0o710)?;
            chown(folder, Some(0), Some(user.gid))?;
        }
        durable::remove_file(socket)?;
        let listener = qemu::socket::listen(socket)?;
        chown(socket, Some(user.uid), Some(user.gid))?;
        fs::set_permissions(socket, Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    listen().doing(listening)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_finds_its_bridge_from_its_run_directory() {
        let ledger = crate::ledger::Ledger::new(PathBuf::from("/state/machines/0a9ee4b2-6c1e-4b0f-9f3a-7f6f3d1d6d0b"));
        let socket = socket_of(&ledger.bridges(), Uuid::max());
        let (from, way) = (ledger.run_dir().path().to_owned(), from_the_machine(&socket));
        assert_eq!(from.parent().map(|machine| machine.join(way.strip_prefix("..").unwrap_or(&way))), Some(socket));
    }
}
