// SPDX-License-Identifier: Apache-2.0
//! The host: what it is, and what it offers.

use std::{fs, time::Duration};

use contracts::node::{Accelerator as AcceleratorSaid, Feature, Held, Hello, PROTOCOL, StorageFacts, Versions};
use nix::sys::{statvfs::statvfs, sysinfo::sysinfo};
use ovn::vswitch::Datapath;
use qemu::{Accelerator, Finding};
use tokio::sync::watch;
use types::DatabaseMark;
use uuid::Uuid;

use crate::{
    AcceleratorChoice, NodeConfig, Result,
    error::{Doing, blocking},
    state_dir::StateDir,
    volume,
};

const MEBIBYTE: u64 = 1 << 20;
const GIBIBYTE: u64 = 1 << 30;
/// A machine that ran so long under KVM shows that KVM is good for machines here.
const PROVEN: Duration = Duration::from_secs(300);

/// What may be asked of this version's agent beyond what every agent can.
const FEATURES: &[Feature] = &[
    Feature::Pause,
    Feature::Rescue,
    Feature::HotPlug,
    Feature::MoveDisk,
    Feature::KeepDisk,
    Feature::Rebuild,
    Feature::Fence,
    Feature::Volumes,
    Feature::CopyVolume,
    Feature::Console,
];

pub(crate) struct Host {
    config: NodeConfig,
    state: StateDir,
    accelerator: watch::Sender<Finding>,
    boot_id: String,
    hypervisor_version: String,
}

impl Host {
    pub async fn open(config: NodeConfig, state: StateDir) -> Result<Self> {
        let version = hypervisor_version().await?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").doing(|| "read the boot id".into())?;
        Ok(Self {
            accelerator: watch::Sender::new(accelerator(&config, &state, &version).await?),
            hypervisor_version: version,
            boot_id: boot_id.trim().to_owned(),
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

    /// Bytes of images that no machine uses any more and that are kept all the same.
    pub fn granted_to_images(&self) -> u64 {
        self.config.image_cache_gb.map_or(disk_bytes(&self.state) / 10, |gb| gb.saturating_mul(GIBIBYTE))
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

    /// Another after each start of the host.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Room for volumes, of which machines and images have their part, too.
    fn storage(&self) -> Option<StorageFacts> {
        let reserved = u64::try_from(self.config.reserved_disk_gb).unwrap_or(0);
        let room = statvfs(self.state.root()).ok()?;
        let free = room.blocks_available() * room.fragment_size() / GIBIBYTE;
        Some(StorageFacts {
            total_gb: u64::try_from(disk_gb(&self.state)).unwrap_or(0).saturating_sub(reserved),
            free_gb: free.saturating_sub(reserved),
            address: Some((self.config.encap_ip, volume::FIRST_PORT).into()),
        })
    }

    /// What this host says of itself, with what its switch is like, all that there is here, wanted or not, and what the cloud's
    /// database was seen to know.
    pub fn hello(&self, datapath: Option<Datapath>, holds: Vec<Held>, knows: Option<DatabaseMark>) -> Hello {
        let (memory, disk) = (memory_mb(), disk_gb(&self.state));
        let accelerator = self.accelerator.borrow().clone();
        Hello {
            speaks: Versions::only(PROTOCOL),
            features: FEATURES.iter().copied().collect(),
            holds,
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
            datapath: match datapath {
                Some(Datapath::Kernel) => "kernel".into(),
                Some(Datapath::Userspace) => "userspace".into(),
                None => "none".into(),
            },
            encap_ip: self.config.encap_ip,
            physical_networks: self.config.physical_networks.keys().cloned().collect(),
            cpu_arch: std::env::consts::ARCH.into(),
            hypervisor_version: self.hypervisor_version.clone(),
            storage: self.storage(),
            knows,
        }
    }
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
