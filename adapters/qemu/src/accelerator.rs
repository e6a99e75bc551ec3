// SPDX-License-Identifier: Apache-2.0
//! KVM or TCG, found by running something.
//!
//! A `/dev/kvm` that opens is not yet a KVM that runs a guest: nested virtualisation may hang on the first
//! instruction. So a guest of two instructions is booted under KVM, and only its own exit code counts.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::process::Command;

use crate::error::Doing;
use crate::{EMULATOR, Result, boot_sector};

const KVM_DEVICE: &str = "/dev/kvm";

/// A working KVM boots the probe in a tenth of a second.
const PROBE_DEADLINE: Duration = Duration::from_secs(3);

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
/// The probe is done again after a reboot, and when `/dev/kvm` came or went since.
pub async fn find(cache: &Path) -> Result<Finding> {
    let host = Host::now()?;
    if let Some(remembered) = recall(cache).filter(|remembered| remembered.host == host) {
        return Ok(remembered.finding);
    }
    let finding = probe().await?;
    remember(cache, &Remembered { host, finding: finding.clone() })?;
    Ok(finding)
}

/// Boots the smallest guest under KVM and sees whether it runs.
pub async fn probe() -> Result<Finding> {
    let because = if !fs::exists(KVM_DEVICE).doing(|| format!("look for {KVM_DEVICE}"))? {
        format!("{KVM_DEVICE} does not exist: the processor's virtualisation is off, or the kvm module is not loaded")
    } else if let Err(error) = fs::OpenOptions::new().read(true).write(true).open(KVM_DEVICE) {
        format!("{KVM_DEVICE} does not open: {error}")
    } else {
        match run_guest("kvm", Accelerator::Kvm.cpu_model()).await? {
            Outcome::Ran => {
                let because = "a guest instruction ran under KVM".into();
                return Ok(Finding { accelerator: Accelerator::Kvm, because });
            }
            Outcome::Hung => format!("{KVM_DEVICE} opens, but a guest instruction did not run within {PROBE_DEADLINE:?}"),
            Outcome::Failed(said) => {
                format!("{KVM_DEVICE} opens, but QEMU could not use it: {said}")
            }
        }
    };
    Ok(Finding { accelerator: Accelerator::Tcg, because })
}

pub(crate) enum Outcome {
    Ran,
    Hung,
    Failed(String),
}

/// Runs a guest whose only deed is to end its machine with an exit code that nothing else produces. The processor is
/// that of real machines: a KVM may run a plain one and still fail to set up the host's own.
pub(crate) async fn run_guest(accelerator: &str, cpu_model: &str) -> Result<Outcome> {
    let starting = || format!("start {EMULATOR} to probe {accelerator}");
    let disk = memfd_create(c"boot-sector", MFdFlags::MFD_CLOEXEC).doing(starting)?;
    let mut disk = fs::File::from(disk);
    disk.write_all(&boot_sector::ending()).doing(starting)?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), disk.as_raw_fd());
    let file = json!({ "driver": "file", "filename": path, "read-only": true, "locking": "off" });
    let blockdev = json!({ "driver": "raw", "node-name": "disk0", "read-only": true, "file": file });

    let mut command = Command::new(EMULATOR);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "16M"]);
    command.args(["-accel", accelerator, "-cpu", cpu_model, "-blockdev", &blockdev.to_string()]);
    command.args(["-device", "virtio-blk-pci,drive=disk0,bootindex=1,romfile="]);
    command.args(["-device", &format!("isa-debug-exit,iobase={:#x},iosize=1", boot_sector::EXIT_PORT)]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let Ok(output) = tokio::time::timeout(PROBE_DEADLINE, command.output()).await else {
        return Ok(Outcome::Hung);
    };
    let output = output.doing(starting)?;
    if output.status.code() == Some(boot_sector::EXIT_CODE) {
        return Ok(Outcome::Ran);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(Outcome::Failed(format!("{} ({said})", output.status)))
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    host: Host,
    finding: Finding,
}

/// What a finding depends on.
#[derive(PartialEq, Serialize, Deserialize)]
struct Host {
    boot_id: String,
    has_kvm: bool,
}

impl Host {
    fn now() -> Result<Self> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").doing(|| "read the boot id".into())?;
        let has_kvm = fs::exists(KVM_DEVICE).doing(|| format!("look for {KVM_DEVICE}"))?;
        Ok(Self { boot_id: boot_id.trim().to_owned(), has_kvm })
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
    async fn the_probe_guest_really_runs() {
        // TCG works everywhere, so this shows that it is the guest's byte that ends the machine.
        match run_guest("tcg", Accelerator::Tcg.cpu_model()).await.unwrap() {
            Outcome::Ran => {}
            Outcome::Hung => panic!("the guest did not run in time"),
            Outcome::Failed(said) => panic!("{said}"),
        }
    }

    #[tokio::test]
    async fn an_accelerator_that_does_not_exist_is_a_failure_that_says_so() {
        let Outcome::Failed(said) = run_guest("nonsense", "max").await.unwrap() else { panic!("it ran") };
        assert!(said.contains("nonsense"), "{said}");
    }

    #[tokio::test]
    async fn a_finding_is_kept_for_this_boot_only() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("accelerator.json");
        let found = find(&cache).await.unwrap();
        assert!(!found.because.is_empty());

        let kept = Finding { accelerator: found.accelerator, because: "kept".into() };
        remember(&cache, &Remembered { host: Host::now().unwrap(), finding: kept.clone() }).unwrap();
        assert_eq!(find(&cache).await.unwrap(), kept);

        let other_boot = Host { boot_id: "another".into(), has_kvm: Host::now().unwrap().has_kvm };
        remember(&cache, &Remembered { host: other_boot, finding: kept }).unwrap();
        assert_eq!(find(&cache).await.unwrap().because, found.because);

        fs::write(&cache, "{ torn").unwrap();
        assert_eq!(find(&cache).await.unwrap().because, found.because);
    }
}
