// SPDX-License-Identifier: Apache-2.0
//! KVM or TCG, found by playing an operating system's start through.
//!
//! A `/dev/kvm` that opens is not yet a KVM that runs a guest: nested virtualisation may hang on the first
//! instruction, or run a boot sector and die at what every operating system does next. So a guest that goes all the way
//! from real mode to an unprivileged program is booted under KVM, and only its own word counts.
//!
//! What the probe did not see, a real machine may still find. Then the host gives KVM up until it restarts.

mod guest;
mod probe;

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::Doing;

const KVM_DEVICE: &str = "/dev/kvm";

/// A working KVM goes from stage to stage in less than a tenth of a second, unless its host has a lot else to do.
const PATIENCE: Duration = Duration::from_secs(15);

/// Raised when the probe sees more than before: what an earlier one found is not believed then.
const PROBE: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    Kvm,
    /// Every guest instruction is translated: it works everywhere, an order of magnitude slower.
    Tcg,
}

impl Accelerator {
    /// All that it can do. A machine that shall move between hosts will need less.
    pub(crate) fn cpu_model(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "max",
        }
    }
}

/// What was found, and why, for whoever asks why machines are slow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub accelerator: Accelerator,
    pub because: String,
}

/// The finding of this boot of the host: from `cache` if it is there, else by probing.
///
/// The probe is done again after a reboot, with another QEMU, and when `/dev/kvm` came or went since.
pub async fn find(cache: &Path, emulator: &str) -> Result<Finding> {
    let host = Host::now(emulator)?;
    if let Some(remembered) = recall(cache).filter(|remembered| remembered.host == host) {
        return Ok(remembered.finding);
    }
    let finding = probe().await?;
    remember(cache, &Remembered { host, finding: finding.clone(), gave_up: false })?;
    Ok(finding)
}

/// KVM failed under a real machine: until this host restarts, or has another QEMU, it is not used.
pub fn give_up(cache: &Path, emulator: &str, because: String) -> Result<Finding> {
    let finding = Finding { accelerator: Accelerator::Tcg, because };
    remember(cache, &Remembered { host: Host::now(emulator)?, finding: finding.clone(), gave_up: true })?;
    Ok(finding)
}

/// What was found when KVM was given up on this boot of the host, if it was.
pub fn given_up(cache: &Path, emulator: &str) -> Result<Option<Finding>> {
    let host = Host::now(emulator)?;
    Ok(recall(cache).filter(|remembered| remembered.gave_up && remembered.host == host).map(|remembered| remembered.finding))
}

/// Plays an operating system's start through under KVM.
pub async fn probe() -> Result<Finding> {
    let because = if !fs::exists(KVM_DEVICE).doing(|| format!("look for {KVM_DEVICE}"))? {
        format!("{KVM_DEVICE} does not exist: the processor's virtualisation is off, or the kvm module is not loaded")
    } else if let Err(error) = fs::OpenOptions::new().read(true).write(true).open(KVM_DEVICE) {
        format!("{KVM_DEVICE} does not open: {error}")
    } else {
        let played = probe::play("kvm", Accelerator::Kvm.cpu_model(), PATIENCE).await?;
        if played.failure.is_none() {
            return Ok(Finding { accelerator: Accelerator::Kvm, because: format!("under KVM {played}") });
        }
        format!("{KVM_DEVICE} opens, but under KVM {played}")
    };
    Ok(Finding { accelerator: Accelerator::Tcg, because: format!("machines are emulated (TCG): {because}") })
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    host: Host,
    finding: Finding,
    /// Found by a machine that KVM failed under.
    #[serde(default)]
    gave_up: bool,
}

/// What a finding depends on. The kernel is told by its boot.
#[derive(PartialEq, Serialize, Deserialize)]
struct Host {
    boot_id: String,
    has_kvm: bool,
    #[serde(default)]
    emulator: String,
    #[serde(default)]
    probe: u32,
}

impl Host {
    fn now(emulator: &str) -> Result<Self> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").doing(|| "read the boot id".into())?;
        let has_kvm = fs::exists(KVM_DEVICE).doing(|| format!("look for {KVM_DEVICE}"))?;
        Ok(Self { boot_id: boot_id.trim().to_owned(), has_kvm, emulator: emulator.to_owned(), probe: PROBE })
    }
}

fn recall(cache: &Path) -> Option<Remembered> {
    serde_json::from_slice(&fs::read(cache).ok()?).ok()
}

fn remember(cache: &Path, found: &Remembered) -> Result<()> {
    let write = || {
        let fresh = cache.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(found).map_err(io::Error::other)?)?;
        fs::rename(&fresh, cache)
    };
    write().doing(|| format!("write {}", cache.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_finding_is_kept_for_this_boot_and_this_qemu_only() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("accelerator.json");
        let found = find(&cache, "10.0").await.unwrap();
        assert!(!found.because.is_empty());

        let kept = Finding { accelerator: found.accelerator, because: "kept".into() };
        let keep = |host| remember(&cache, &Remembered { host, finding: kept.clone(), gave_up: false }).unwrap();
        keep(Host::now("10.0").unwrap());
        assert_eq!(find(&cache, "10.0").await.unwrap(), kept);
        for other in [
            Host { boot_id: "another".into(), ..Host::now("10.0").unwrap() },
            Host::now("9.2").unwrap(),
            // What a probe that saw less had found.
            Host { probe: 1, ..Host::now("10.0").unwrap() },
        ] {
            keep(other);
            assert_eq!(find(&cache, "10.0").await.unwrap().because, found.because);
        }
        fs::write(&cache, "{ torn").unwrap();
        assert_eq!(find(&cache, "10.0").await.unwrap().because, found.because);
    }

    #[tokio::test]
    async fn a_kvm_that_was_given_up_stays_so_until_the_host_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("accelerator.json");
        let found = find(&cache, "10.0").await.unwrap();
        assert_eq!(given_up(&cache, "10.0").unwrap(), None);
        let gave_up = give_up(&cache, "10.0", "it died".into()).unwrap();
        assert_eq!(gave_up, Finding { accelerator: Accelerator::Tcg, because: "it died".into() });
        assert_eq!(find(&cache, "10.0").await.unwrap(), gave_up);
        assert_eq!(given_up(&cache, "10.0").unwrap(), Some(gave_up));
        assert_eq!(given_up(&cache, "10.1").unwrap(), None);
        assert_eq!(find(&cache, "10.1").await.unwrap(), found);
    }
}
