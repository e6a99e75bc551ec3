// SPDX-License-Identifier: Apache-2.0
//! The host: what it is, what it offers, and what its machines share.

use std::fs;

use contracts::node::{Accelerator as AcceleratorSaid, Hello, NodeSettings, PROTOCOL};
use nix::sys::{statvfs::statvfs, sysinfo::sysinfo};
use qemu::{Accelerator, Finding};
use tokio::sync::watch;

use crate::{
    AcceleratorChoice, NodeConfig, Result, board::Board, error::Doing, image::ImageCache, link::Link, state_dir::StateDir,
};

const MEBIBYTE: u64 = 1 << 20;
const GIBIBYTE: u64 = 1 << 30;

pub(crate) struct Host {
    config: NodeConfig,
    state: StateDir,
    board: Board,
    images: ImageCache,
    link: Link,
    accelerator: Finding,
    boot_id: String,
    hypervisor_version: String,
    settings: watch::Sender<Option<NodeSettings>>,
}

impl Host {
    pub async fn open(config: NodeConfig, state: StateDir) -> Result<Self> {
        let link = Link::new();
        let images = ImageCache::open(state.images(), config.image_cache_gb.saturating_mul(GIBIBYTE), link.clone())?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").doing(|| "read the boot id".into())?;
        Ok(Self {
            accelerator: accelerator(&config, &state).await?,
            hypervisor_version: hypervisor_version().await?,
            boot_id: boot_id.trim().to_owned(),
            board: Board::new(),
            images,
            link,
            settings: watch::Sender::new(None),
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

    pub fn accelerator(&self) -> Accelerator {
        self.accelerator.accelerator
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

    pub fn hello(&self) -> Hello {
        let (memory, disk) = (memory_mb(), disk_gb(&self.state));
        Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            hostname: self.config.hostname.clone(),
            boot_id: self.boot_id.clone(),
            vcpus: std::thread::available_parallelism().map_or(1, |count| i64::try_from(count.get()).unwrap_or(i64::MAX)),
            memory_mb: (memory - self.config.reserved_memory_mb).max(0),
            disk_gb: (disk - self.config.reserved_disk_gb).max(0),
            accelerator: AcceleratorSaid {
                kind: match self.accelerator.accelerator {
                    Accelerator::Kvm => "kvm".into(),
                    Accelerator::Tcg => "tcg".into(),
                },
                finding: self.accelerator.because.clone(),
            },
            datapath: "userspace".into(),
            encap_ip: self.config.encap_ip,
            physical_networks: self.config.physical_networks.keys().cloned().collect(),
            cpu_arch: std::env::consts::ARCH.into(),
            hypervisor_version: self.hypervisor_version.clone(),
        }
    }
}

async fn accelerator(config: &NodeConfig, state: &StateDir) -> Result<Finding> {
    let because = "the operator chose it".to_owned();
    Ok(match config.accelerator {
        AcceleratorChoice::Auto => qemu::accelerator::find(&state.accelerator()).await?,
        AcceleratorChoice::Kvm => Finding { accelerator: Accelerator::Kvm, because },
        AcceleratorChoice::Tcg => Finding { accelerator: Accelerator::Tcg, because },
    })
}

/// `QEMU emulator version 10.0.2 (Debian …)` has it as its fourth word.
async fn hypervisor_version() -> Result<String> {
    let asked = tokio::process::Command::new(qemu::EMULATOR).arg("--version").output().await;
    let said = asked.doing(|| format!("run {}; is QEMU installed?", qemu::EMULATOR))?.stdout;
    Ok(String::from_utf8_lossy(&said).split_whitespace().nth(3).unwrap_or("unknown").to_owned())
}

fn memory_mb() -> i64 {
    sysinfo().map_or(0, |info| i64::try_from(info.ram_total() / MEBIBYTE).unwrap_or(i64::MAX))
}

fn disk_gb(state: &StateDir) -> i64 {
    statvfs(state.root()).map_or(0, |fs| i64::try_from(fs.blocks() * fs.fragment_size() / GIBIBYTE).unwrap_or(i64::MAX))
}
