// SPDX-License-Identifier: Apache-2.0
//! The users of this host that a cloud's machines run as. Two clouds of a host share none: a guest that broke out of one is
//! no closer to the guests of the other.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};
use work::durable;

use crate::{config::Config, home::Home};

/// Those of the default cloud, and of clouds that were made before each had its own.
const DEFAULT: u32 = 200_000;
/// Above all that is handed out by distributions (`/etc/subuid`) and by systemd (containers, up to 0x6fffffff), and below what
/// some programs take for a negative number.
const OTHERS: u32 = 0x7000_0000;
/// Of each cloud: the agent's 65,536 machines, and the one before, which converts images.
const OF_A_CLOUD: u32 = 0x2_0000;
const RANGES: u32 = (0x8000_0000 - OTHERS) / OF_A_CLOUD;

/// The first user of this cloud's machines on this host: as it was said or chosen once.
pub fn first(home: &Home, config: &Config) -> anyhow::Result<u32> {
    if let Some(said) = config.node.first_uid {
        return Ok(said);
    }
    let path = path(home);
    if let Ok(text) = fs::read_to_string(&path) {
        return text.trim().parse().with_context(|| format!("understand {}", path.display()));
    }
    let was_here = home.node().join("identity/certificate.pem").exists();
    let first = if home.is_default() || was_here { DEFAULT } else { free_range(home, &users_at_work()) };
    durable::write(&path, first.to_string().as_bytes()).with_context(|| format!("write {}", path.display()))?;
    Ok(first)
}

/// The range that follows from where the state lies, or the next in which nobody is at work.
fn free_range(home: &Home, at_work: &[u32]) -> u32 {
    let digest = Sha256::digest(home.state.as_os_str().as_encoded_bytes());
    let number = u32::from(u16::from_be_bytes([digest[0], digest[1]]));
    let range = |try_: u32| OTHERS + (number + try_) % RANGES * OF_A_CLOUD;
    let is_free = |start: &u32| !at_work.iter().any(|user| (*start..*start + OF_A_CLOUD).contains(user));
    // The first number of a range is for conversions.
    (0..RANGES).map(range).find(is_free).unwrap_or_else(|| range(0)) + 1
}

/// The users of all processes of this host.
fn users_at_work() -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| Some(process.metadata().ok()?.uid())).collect()
}

fn path(home: &Home) -> PathBuf {
    home.state.join("first-uid")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.ensure().unwrap();
        (folder, home)
    }

    #[test]
    fn two_clouds_of_a_host_share_no_user() {
        let ((_one, one), (_two, two)) = (home(), home());
        let config = Config::default();
        let first = first(&one, &config).unwrap();
        assert_eq!(super::first(&one, &config).unwrap(), first, "it stays");
        // Were the other to have the same range by chance, it would find somebody at work in it.
        let other = free_range(&two, &[first - 1, first + 7]);
        let (ours, theirs) = (first - 1..first + 0x1_0000, other - 1..other + 0x1_0000);
        assert!(ours.end <= theirs.start || theirs.end <= ours.start, "{ours:?} {theirs:?}");
        assert!(!ours.contains(&DEFAULT));
        assert_eq!(
            free_range(&one, &[first]),
            if first + OF_A_CLOUD > i32::MAX as u32 { OTHERS + 1 } else { first + OF_A_CLOUD }
        );
    }

    #[test]
    fn a_cloud_that_has_machines_keeps_their_users_and_the_operator_may_choose() {
        let (_folder, home) = home();
        let certificate = home.node().join("identity/certificate.pem");
        fs::create_dir_all(certificate.parent().unwrap()).unwrap();
        fs::write(certificate, "").unwrap();
        let mut config = Config::default();
        assert_eq!(first(&home, &config).unwrap(), DEFAULT);
        config.node.first_uid = Some(7_000_000);
        assert_eq!(first(&home, &config).unwrap(), 7_000_000);
    }
}
