// SPDX-License-Identifier: Apache-2.0
//! Network namespaces of doors: their names, and how they are made and removed.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
};

use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns},
};
use sha2::{Digest, Sha256};
use types::NetworkId;

use crate::{Error, Result, error::Doing, ip, machines::DoorPlan, state_dir::StateDir};

const METADATA_ADDRESS: &str = "169.254.169.254/32";
const INSIDE: &str = "eth0";
const PORT: u16 = 80;

/// What a door is called on the host.
///
/// A namespace's name holds the whole id of its network, and the mark of the cloud. A device's name has 15 bytes, too few for
/// either: it is a hash, and the number in the namespace's name says which, so that a name that is taken is passed over.
///
/// Invariant: no two networks share a door, whatever their ids (test: `networks_whose_ids_begin_alike_have_doors_of_their_own`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub namespace: String,
    /// The end of the veth pair that the switch has.
    pub device: String,
}

/// How many names are tried for a device.
const NAMES: u32 = 64;
const DEVICE: &str = "fm";

impl Names {
    fn of(mark: &str, network: &NetworkId, number: u32) -> Self {
        let namespace = match number {
            0 => format!("{}{network}", prefix(mark)),
            number => format!("{}{network}.{number}", prefix(mark)),
        };
        Self { device: device_of(&namespace), namespace }
    }

    /// Those of the door that this network has, or names that nobody has.
    pub fn choose(mark: &str, network: &NetworkId) -> Result<Self> {
        let all = names_in(directory())?;
        let is_taken = |names: &Self| {
            // A device is there only while its namespace is, so one that is there without is somebody else's.
            let others = all.iter().filter(|other| is_ours(other) && **other != names.namespace);
            if_nametoindex(names.device.as_str()).is_ok() && !all.contains(&names.namespace)
                || others.map(|other| device_of(other)).any(|device| device == names.device)
        };
        let mut candidates = (0..NAMES).map(|number| Self::of(mark, network, number));
        let free = candidates.find(|names| !is_taken(names));
        free.ok_or_else(|| Error::Unfit(format!("every name that the metadata door of network {network} could have is taken")))
    }

    /// The network whose door it is.
    pub fn network(&self, mark: &str) -> Option<NetworkId> {
        let rest = self.namespace.strip_prefix(&prefix(mark))?;
        Some(NetworkId::new(rest.split('.').next().unwrap_or(rest)))
    }

    fn path(&self) -> PathBuf {
        directory().join(&self.namespace)
    }
}

/// `IFNAMSIZ` less the final NUL.
const LONGEST_DEVICE: usize = 15;

fn prefix(mark: &str) -> String {
    format!("{OURS}{mark}-")
}

/// With this begin the names of every cloud's doors.
const OURS: &str = "ferro-";

fn is_ours(namespace: &str) -> bool {
    namespace.starts_with(OURS)
}

fn device_of(namespace: &str) -> String {
    format!("{DEVICE}{}", &hex::encode(Sha256::digest(namespace.as_bytes()))[..LONGEST_DEVICE - DEVICE.len()])
}

fn directory() -> &'static Path {
    Path::new("/run/netns")
}

fn names_in(directory: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).doing(|| "list the network namespaces".into()),
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// The doors of this cloud on this host.
pub(super) fn doors(state: &StateDir) -> Result<Vec<Names>> {
    let (mark, short) = (prefix(&state.mark()), prefix(&state.short_mark()));
    let names = names_in(directory())?.into_iter().filter_map(|namespace| {
        if namespace.starts_with(&mark) {
            return Some(Names { device: device_of(&namespace), namespace });
        }
        // An earlier version called them by parts of both.
        let part = namespace.strip_prefix(&short).filter(|part| part.len() == 10)?;
        let digits: String = part.chars().filter(|c| *c != '-').collect();
        Some(Names { device: format!("{DEVICE}{}{digits}", state.short_mark()), namespace })
    });
    Ok(names.collect())
}

/// Their namespaces.
pub(crate) fn list(state: &StateDir) -> Result<Vec<String>> {
    Ok(doors(state)?.into_iter().map(|names| names.namespace).collect())
}

/// Makes the namespace, its veth pair and its addresses. What is there in another shape is made anew.
pub(super) fn ensure(names: &Names, plan: &DoorPlan, offloads: bool) -> Result<()> {
    release(names)?;
    let Names { namespace, device } = names;
    let DoorPlan { door, mtu } = plan;
    ip::run(&format!("netns add {namespace}\n"))?;
    ip::run(&format!(
        "link add {device} mtu {mtu} type veth peer name {INSIDE} address {} mtu {mtu} netns {namespace}\nlink set {device} up\n",
        door.mac
    ))?;
    let mut inside = format!("link set lo up\naddress add {METADATA_ADDRESS} dev {INSIDE}\n");
    for (address, prefix) in &door.addresses {
        let at_once = if address.is_ipv6() { " nodad" } else { "" };
        inside.push_str(&format!("address add {address}/{prefix} dev {INSIDE}{at_once}\n"));
    }
    inside.push_str(&format!("link set {INSIDE} up\n"));
    ip::run_within(namespace, &inside)?;
    if !offloads {
        qemu::tap::disable_offloads(device)?;
        within(names, || Ok(qemu::tap::disable_offloads(INSIDE)?))?;
    }
    Ok(())
}

/// Removes the namespace and the pair; fine if they are not there.
pub(super) fn release(names: &Names) -> Result<()> {
    if Path::new("/sys/class/net").join(&names.device).exists() {
        ip::run(&format!("link del {}\n", names.device))?;
    }
    if names.path().exists() {
        // A namespace whose making was cut short is a plain file that `ip` will not have.
        if ip::run(&format!("netns del {}\n", names.namespace)).is_err() {
            fs::remove_file(names.path()).doing(|| format!("remove {}", names.path().display()))?;
        }
    }
    Ok(())
}

/// A listener on all addresses of the namespace. The socket stays there whichever thread uses it.
pub(super) fn listen(names: &Names) -> Result<TcpListener> {
    within(names, || {
        // Takes IPv4, too; a host without IPv6 has only the other.
        let listener = TcpListener::bind(("::", PORT)).or_else(|_| TcpListener::bind(("0.0.0.0", PORT)));
        let listener = listener.doing(|| "listen for metadata requests".into())?;
        listener.set_nonblocking(true).doing(|| "listen for metadata requests".into())?;
        Ok(listener)
    })
}

/// Runs on a thread of its own, which is never used for anything else and ends with the work.
fn within<T: Send + 'static>(names: &Names, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let path = names.path();
    let entering = format!("enter the network namespace {}", names.namespace);
    let thread = thread::spawn(move || {
        let namespace = File::open(path).doing(|| entering.clone())?;
        setns(namespace, CloneFlags::CLONE_NEWNET).doing(|| entering)?;
        work()
    });
    thread.join().unwrap_or_else(|_| Err(Error::Unfit("work in a network namespace failed".into())))
}
