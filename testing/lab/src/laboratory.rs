// SPDX-License-Identifier: Apache-2.0
//! The laboratory as a whole: its hosts by name, the wires between them, its folder.

use std::{
    collections::BTreeMap,
    env, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, ensure};

use crate::{Host, logs, switch::Switches};

/// Folders are named after the process that made them, so that a later one can tell which are left over.
const FOLDER_PREFIX: &str = "ferrostack-lab-";
static SERIAL: AtomicUsize = AtomicUsize::new(0);

pub struct Lab {
    folder: PathBuf,
    switches: Switches,
    hosts: Mutex<BTreeMap<String, Host>>,
    fabric: Host,
    passed: bool,
}

impl Lab {
    pub fn new() -> Result<Self> {
        remove_leftovers(&env::temp_dir())?;
        let folder = env::temp_dir().join(format!("{FOLDER_PREFIX}{}-{}", process::id(), SERIAL.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let fabric = Host::start("fabric", &folder, None)?;
        let switches = Switches::start(fabric.clone())?;
        Ok(Self { folder, switches, hosts: Mutex::default(), fabric, passed: false })
    }

    /// The host of this name, made when it is asked for first: `eth0` on the underlay with an address, `eth1` without one
    /// on the LAN with all its VLANs.
    pub fn host(&self, name: &str) -> Result<Host> {
        let mut hosts = self.hosts();
        if let Some(host) = hosts.get(name) {
            return Ok(host.clone());
        }
        let number = u8::try_from(hosts.len() + 11).context("too many hosts for one underlay")?;
        let address = Ipv4Addr::new(10, 99, 0, number);
        let host = Host::start(checked(name)?, &self.folder, Some(address))?;
        self.switches.plug_underlay(&host, address)?;
        self.switches.plug_trunk(&host, "eth1")?;
        hosts.insert(name.to_owned(), host.clone());
        Ok(host)
    }

    /// A machine of the physical LAN, which knows nothing of the cloud: `eth0` on one VLAN, or on the untagged LAN.
    /// The address is written with its prefix, as in `172.24.4.1/24`.
    pub fn lan_host(&self, name: &str, vlan: Option<u16>, address: &str) -> Result<Host> {
        let mut hosts = self.hosts();
        ensure!(!hosts.contains_key(name), "there is a host {name} already");
        let host = Host::start(checked(name)?, &self.folder, None)?;
        match vlan {
            Some(vlan) => self.switches.plug_access(&host, "eth0", vlan)?,
            None => self.switches.plug_trunk(&host, "eth0")?,
        }
        host.run(["ip", "address", "add", address, "dev", "eth0"])?;
        hosts.insert(name.to_owned(), host.clone());
        Ok(host)
    }

    /// Gives a host a second card on the underlay, without an address: for a bridge that tunnels leave by.
    pub fn add_tunnel_card(&self, host: &Host, device: &str) -> Result<()> {
        self.switches.plug_tunnels(host, device)
    }

    /// Pulls a host's underlay cables.
    pub fn cut(&self, host: &Host) -> Result<()> {
        self.switches.set_underlay(host, "down")
    }

    /// Plugs them in again.
    pub fn mend(&self, host: &Host) -> Result<()> {
        self.switches.set_underlay(host, "up")
    }

    /// Cuts the power of a host: every process in it is gone at once, and so is its network. Its folder stays.
    pub fn destroy(&self, host: &Host) {
        host.stop();
        self.hosts().remove(host.name());
    }

    /// For files of the test itself; `*.log` in it is kept when the test fails.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the logs go if the test does not pass.
    pub fn folder_of_kept_logs(&self) -> PathBuf {
        logs::kept_folder()
    }

    /// The last line of a test. A laboratory that ends without it keeps its logs and says where.
    pub fn passed(mut self) -> Result<()> {
        self.passed = true;
        Ok(())
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in self.hosts().values() {
            host.stop();
        }
        self.fabric.stop();
        if !self.passed {
            logs::keep(&self.folder);
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("lab: {} is left over: {error}", self.folder.display());
        }
    }
}

/// A name becomes part of device names, which hold 15 characters.
fn checked(name: &str) -> Result<&str> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ensure!(plain && (1..=12).contains(&name.len()), "a host's name has 1 to 12 letters, digits and dashes, unlike {name:?}");
    Ok(name)
}

fn remove_leftovers(place: &Path) -> Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let owner =
            entry.file_name().to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if let Some(owner) = owner
            && !Path::new(&format!("/proc/{owner}")).try_exists()?
        {
            // Another test may be removing it at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
