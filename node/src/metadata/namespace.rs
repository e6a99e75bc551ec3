// SPDX-License-Identifier: Apache-2.0
//! Network namespaces of doors: their names, and how they are made and removed.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
};

use nix::sched::{CloneFlags, setns};
use types::NetworkId;

use super::DoorPlan;
use crate::{Error, Result, error::Doing, ip};

const METADATA_ADDRESS: &str = "169.254.169.254/32";
const INSIDE: &str = "eth0";
const PORT: u16 = 80;

/// What a door is called on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub namespace: String,
    /// The end of the veth pair that the switch has.
    pub device: String,
}

impl Names {
    pub fn of(tag: &str, network: &NetworkId) -> Self {
        let part: String = network.as_str().chars().take(10).collect();
        Self::of_part(tag, &part)
    }

    pub fn of_namespace(tag: &str, namespace: &str) -> Self {
        Self::of_part(tag, namespace.strip_prefix(&prefix(tag)).unwrap_or_default())
    }

    fn of_part(tag: &str, part: &str) -> Self {
        let digits: String = part.chars().filter(|c| *c != '-').collect();
        Self { namespace: format!("{}{part}", prefix(tag)), device: format!("fm{tag}{digits}") }
    }

    fn path(&self) -> PathBuf {
        directory().join(&self.namespace)
    }
}

fn prefix(tag: &str) -> String {
    format!("ferro-{tag}-")
}

fn directory() -> &'static Path {
    Path::new("/run/netns")
}

/// The namespaces of this cloud's doors on this host.
pub(crate) fn list(tag: &str) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).doing(|| "list the network namespaces".into()),
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with(&prefix(tag))).collect())
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
