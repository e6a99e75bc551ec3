// SPDX-License-Identifier: Apache-2.0
//! The host: what it is, what it offers, and what its machines share.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::node::{Accelerator as AcceleratorSaid, Hello, NodeSettings, PROTOCOL};
use disks::cage::Cage;
use nix::sys::{statvfs::statvfs, sysinfo::sysinfo};
use ovn::vswitch::Datapath;
use qemu::{Accelerator, Finding};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use types::{DatabaseMark, NodeId};
use uuid::Uuid;

use crate::{
    AcceleratorChoice, NodeConfig, Result,
    board::Board,
    error::{Doing, blocking},
    identity::Identity,
    image::ImageCache,
    link::Link,
    machine::Taps,
    state_dir::StateDir,
    switch::{Chassis, Switching},
};

const MEBIBYTE: u64 = 1 << 20;
const GIBIBYTE: u64 = 1 << 30;
const STARTS_A_CORE: usize = 4;
/// Each reads a disk, writes another, and fills a part of the line to the controller.
const SNAPSHOTS_AT_ONCE: usize = 2;
const SETTLE_AGAIN: Duration = Duration::from_secs(2);
/// A machine that ran so long under KVM shows that KVM is good for machines here.
const PROVEN: Duration = Duration::from_secs(300);

pub(crate) struct Host {
    config: NodeConfig,
    state: StateDir,
    board: Board,
    images: ImageCache,
    link: Link,
    accelerator: watch::Sender<Finding>,
    boot_id: String,
    hypervisor_version: String,
    node: NodeId,
    switch: Option<Arc<Switching>>,
    taps: Taps,
    /// Lets so many machines start at a time.
    starts: Semaphore,
    /// Lets so many snapshots be copied and sent at a time.
    snapshots: Semaphore,
    settings: watch::Sender<Option<NodeSettings>>,
    /// What the cloud's database was seen to know, and is told at each connection: it may be an earlier copy then.
    database: Mutex<Option<DatabaseMark>>,
}

impl Host {
    pub async fn open(config: NodeConfig, state: StateDir, identity: &Identity) -> Result<Self> {
        let link = Link::new();
        let chassis = Chassis { node: identity.node_id().clone(), tls: identity.tls_files() };
        let switch = Switching::open(&config, &state, &chassis).await?;
        let room = config.image_cache_gb.map_or(disk_bytes(&state) / 10, |gb| gb.saturating_mul(GIBIBYTE));
        let images = ImageCache::open(state.images(), state.machines(), room, link.clone(), cage(&config))?;
        let version = hypervisor_version().await?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").doing(|| "read the boot id".into())?;
        Ok(Self {
            accelerator: watch::Sender::new(accelerator(&config, &state, &version).await?),
            hypervisor_version: version,
            boot_id: boot_id.trim().to_owned(),
            board: Board::new(),
            images,
            link,
            starts: Semaphore::new(cores() * STARTS_A_CORE),
            snapshots: Semaphore::new(SNAPSHOTS_AT_ONCE),
            settings: watch::Sender::new(None),
            database: Mutex::new(read_mark(&state)),
            node: chassis.node,
            switch: switch.map(Arc::new),
            taps: Taps::default(),
            config,
            state,
        })
    }

    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    pub fn state(&self) -> &StateDir {
        &self.state
    }

    pub fn board(&self) -> &Board {
        &self.board
    }

    pub fn images(&self) -> &ImageCache {
        &self.images
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    /// None if the operator wants no switch here.
    pub fn switch(&self) -> Option<Arc<Switching>> {
        self.switch.clone()
    }

    pub fn taps(&self) -> &Taps {
        &self.taps
    }

    pub fn accelerator(&self) -> Accelerator {
        self.accelerator.borrow().accelerator
    }

    /// What this host says of itself changes with it.
    pub fn accelerator_changes(&self) -> watch::Receiver<Finding> {
        self.accelerator.subscribe()
    }

    /// KVM failed this machine. The host gives it up until it restarts, unless others have long run well with it: then it
    /// may be a thing of this guest alone, and no guest shall be able to make all others slow.
    pub async fn kvm_failed(&self, machine: Uuid, cause: &str) {
        let (folder, cache, version) = (self.state.machines(), self.state.accelerator(), self.hypervisor_version.clone());
        let because = format!("machines are emulated (TCG) until this host restarts: KVM failed machine {machine}: {cause}");
        let given_up = blocking(move || {
            let spared = qemu::runs_long_under_kvm(&folder, machine, PROVEN)?;
            let give_up = || qemu::accelerator::give_up(&cache, &version, because);
            Ok(if spared { None } else { Some(give_up()?) })
        });
        match given_up.await {
            Ok(Some(finding)) => {
                tracing::error!(server = %machine, cause, "KVM failed: this host emulates its machines until it restarts");
                self.accelerator.send_replace(finding);
            }
            Ok(None) => tracing::error!(server = %machine, cause, "KVM failed this machine alone: it is emulated from now on"),
            Err(error) => tracing::error!(server = %machine, cause, error = error.chain(), "KVM failed; it is not written down"),
        }
    }

    /// Waits for its turn to start a machine. When a host comes up with all its machines, each gets there sooner if
    /// not all begin at once.
    pub async fn turn_to_start(&self) -> Option<SemaphorePermit<'_>> {
        self.starts.acquire().await.ok()
    }

    /// Waits for its turn to copy a disk and send it.
    pub async fn turn_to_copy(&self) -> Option<SemaphorePermit<'_>> {
        self.snapshots.acquire().await.ok()
    }

    /// Another after each start of the host.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// What the controller said of the cloud.
    pub fn settle(&self, settings: NodeSettings) {
        self.settings.send_if_modified(|current| {
            let changed = current.as_ref() != Some(&settings);
            *current = Some(settings);
            changed
        });
    }

    /// Tells ovn-controller which cloud it serves, whenever the controller says another one. Runs until it is dropped.
    pub async fn keep_in_cloud(&self) {
        let Some(switch) = self.switch() else { return std::future::pending().await };
        let mut settings = self.settings.subscribe();
        loop {
            let current = settings.borrow_and_update().clone();
            let joined = match &current {
                Some(current) => switch.join_cloud(&self.config, &self.node, current).await,
                None => Ok(()),
            };
            let changed = settings.changed();
            match joined {
                Ok(()) => drop(changed.await),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "the switch does not join the cloud yet");
                    let _ = tokio::time::timeout(SETTLE_AGAIN, changed).await;
                }
            }
        }
    }

    /// Writes down how far the cloud's database has come.
    pub fn note_database(&self, told: DatabaseMark) {
        let mut known = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(&told) {
            return;
        }
        if let Some(before) = known.as_ref().filter(|before| before.database != told.database) {
            tracing::warn!(before = %before.database, now = %told.database, "the cloud has another database than before");
        }
        // Less than was written here before is fine: then an earlier copy is noticed late.
        let written = serde_json::to_vec(&told).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|json| fs::write(self.state.database(), json)) {
            tracing::warn!(%error, "what the cloud's database knows is not written down");
        }
        *known = Some(told);
    }

    pub fn hello(&self) -> Hello {
        let (memory, disk) = (memory_mb(), disk_gb(&self.state));
        let accelerator = self.accelerator.borrow().clone();
        Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            hostname: self.config.hostname.clone(),
            boot_id: self.boot_id.clone(),
            vcpus: i64::try_from(cores()).unwrap_or(i64::MAX),
            memory_mb: (memory - self.config.reserved_memory_mb).max(0),
            disk_gb: (disk - self.config.reserved_disk_gb).max(0),
            accelerator: AcceleratorSaid {
                kind: match accelerator.accelerator {
                    Accelerator::Kvm => "kvm".into(),
                    Accelerator::Tcg => "tcg".into(),
                },
                finding: accelerator.because,
            },
            datapath: match self.switch.as_ref().map(|switch| switch.datapath()) {
                Some(Datapath::Kernel) => "kernel".into(),
                Some(Datapath::Userspace) => "userspace".into(),
                None => "none".into(),
            },
            encap_ip: self.config.encap_ip,
            physical_networks: self.config.physical_networks.keys().cloned().collect(),
            cpu_arch: std::env::consts::ARCH.into(),
            hypervisor_version: self.hypervisor_version.clone(),
            knows: self.database.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

fn read_mark(state: &StateDir) -> Option<DatabaseMark> {
    serde_json::from_slice(&fs::read(state.database()).ok()?).ok()
}

async fn accelerator(config: &NodeConfig, state: &StateDir, version: &str) -> Result<Finding> {
    let because = "the operator chose it".to_owned();
    let cache = state.accelerator();
    Ok(match config.accelerator {
        AcceleratorChoice::Auto => qemu::accelerator::find(&cache, version).await?,
        AcceleratorChoice::Kvm => match qemu::accelerator::given_up(&cache, version)? {
            Some(finding) => finding,
            None => Finding { accelerator: Accelerator::Kvm, because },
        },
        AcceleratorChoice::Tcg => Finding { accelerator: Accelerator::Tcg, because },
    })
}

/// Images are converted by the user below those of the machines, who owns nothing else.
fn cage(config: &NodeConfig) -> Cage {
    let user = config.first_uid - 1;
    Cage::new(user, user)
}

/// `QEMU emulator version 10.0.2 (Debian …)` has it as its fourth word.
async fn hypervisor_version() -> Result<String> {
    let asked = tokio::process::Command::new(qemu::EMULATOR).arg("--version").output().await;
    let said = asked.doing(|| format!("run {}; is QEMU installed?", qemu::EMULATOR))?.stdout;
    Ok(String::from_utf8_lossy(&said).split_whitespace().nth(3).unwrap_or("unknown").to_owned())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory_mb() -> i64 {
    sysinfo().map_or(0, |info| i64::try_from(info.ram_total() / MEBIBYTE).unwrap_or(i64::MAX))
}

fn disk_gb(state: &StateDir) -> i64 {
    i64::try_from(disk_bytes(state) / GIBIBYTE).unwrap_or(i64::MAX)
}

fn disk_bytes(state: &StateDir) -> u64 {
    statvfs(state.root()).map_or(0, |fs| fs.blocks() * fs.fragment_size())
}
