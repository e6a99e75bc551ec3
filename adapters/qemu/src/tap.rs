// SPDX-License-Identifier: Apache-2.0
//! Tap devices: the wire between a machine's network card and the switch.
//!
//! A tap persists, so that it can be plugged into the switch before its machine starts and outlives its restarts.
//! It belongs to the user that the machine runs as, which needs no privilege to open it. The functions work in
//! the network namespace of the calling thread.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;

use nix::net::if_::{if_nameindex, if_nametoindex};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use types::PortId;
use uuid::Uuid;

use crate::error::{Doing, Error};
use crate::{Datapath, Result, sys};

/// As Neutron names them, which is what people look for on a host.
const PREFIX: &str = "tap";

/// `IFNAMSIZ` less the final NUL.
const LONGEST_NAME: usize = 15;

/// `ETHTOOL_SRXCSUM`, `STXCSUM`, `SSG`, `STSO`, `SGSO`, `SGRO` of `linux/ethtool.h`.
const OFFLOADS: [u32; 6] = [0x15, 0x17, 0x19, 0x1f, 0x24, 0x2c];

/// The name of a port's tap: the same at every start.
pub fn name_of(port: Uuid) -> String {
    PortId::new(port.to_string()).tap()
}

/// Makes the tap, or makes it what it should be.
pub fn ensure(name: &str, owner: u32, mtu: u16, datapath: Datapath) -> Result<()> {
    check_name(name)?;
    let doing = || format!("make the tap {name}");
    match attach(name, datapath) {
        Ok(tap) => {
            sys::number_ioctl(tap.as_fd(), libc::TUNSETOWNER, owner.into()).doing(doing)?;
            sys::number_ioctl(tap.as_fd(), libc::TUNSETPERSIST, 1).doing(doing)?;
        }
        // Its machine is running with it, so it has its owner and persists already.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
        Err(error) => return Err(error).doing(doing),
    }
    keep_host_stack_out(name).doing(doing)?;
    let control = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).doing(doing)?;
    if datapath == Datapath::Userspace {
        disable_offloads(name)?;
    }
    let mut request = sys::ifreq(name);
    request.ifr_ifru.ifru_mtu = mtu.into();
    sys::interface_ioctl(control.as_fd(), libc::SIOCSIFMTU, &mut request).doing(doing)?;
    let mut request = sys::ifreq(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_NOARP) as i16;
    sys::interface_ioctl(control.as_fd(), libc::SIOCSIFFLAGS, &mut request).doing(doing)
}

/// Has the kernel complete every checksum and segment before a frame leaves by this interface: a switch in userspace
/// takes frames as they are. For taps, and for the veth pairs beside them.
pub fn disable_offloads(interface: &str) -> Result<()> {
    let doing = || format!("turn off the offloads of {interface}");
    let control = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).doing(doing)?;
    for offload in OFFLOADS {
        match sys::ethtool_set(control.as_fd(), sys::ifreq(interface), offload, 0) {
            // Fixed on this kernel, so there is nothing to turn off.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            set => set.doing(doing)?,
        }
    }
    Ok(())
}

/// Removes the tap. Its machine must be gone: one that is in use is an error.
pub fn release(name: &str) -> Result<()> {
    check_name(name)?;
    if if_nametoindex(name).is_err() {
        return Ok(());
    }
    let doing = || format!("remove the tap {name}");
    let tap = attach(name, Datapath::Kernel).doing(doing)?;
    sys::number_ioctl(tap.as_fd(), libc::TUNSETPERSIST, 0).doing(doing)
}

/// Every interface that is named as our taps are, for audits. The owner tells clouds on one host apart.
pub fn list() -> Result<Vec<Tap>> {
    let interfaces = if_nameindex().doing(|| "list the network interfaces".into())?;
    let names = interfaces.iter().filter_map(|interface| interface.name().to_str().ok().map(str::to_owned));
    Ok(names.filter(|name| name.starts_with(PREFIX)).map(|name| Tap { owner: owner_of(&name), name }).collect())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    pub name: String,
    /// None when `/sys` shows another network namespace than ours.
    pub owner: Option<u32>,
}

fn owner_of(name: &str) -> Option<u32> {
    fs::read_to_string(format!("/sys/class/net/{name}/owner")).ok()?.trim().parse().ok()
}

fn check_name(name: &str) -> Result<()> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain && name.starts_with(PREFIX) && name.len() <= LONGEST_NAME {
        Ok(())
    } else {
        Err(Error::Spec(format!("tap name {name:?}")))
    }
}

fn attach(name: &str, datapath: Datapath) -> io::Result<File> {
    let tun = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    let header = if datapath == Datapath::Kernel { libc::IFF_VNET_HDR } else { 0 };
    let mut request = sys::ifreq(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | header) as i16;
    sys::interface_ioctl(tun.as_fd(), libc::TUNSETIFF, &mut request)?;
    Ok(tun)
}

/// The host's own IP stack sits behind every interface. A guest must reach the switch only: with a switch in
/// userspace the kernel would also look at each frame itself. No IPv6, no answer to ARP, and nothing whose way
/// back does not lead out of this tap, which is nothing at all as it has no address.
fn keep_host_stack_out(name: &str) -> io::Result<()> {
    set(&format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1")?;
    set(&format!("/proc/sys/net/ipv4/conf/{name}/arp_ignore"), "8")?;
    set(&format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"), "1")
}

fn set(sysctl: &str, value: &str) -> io::Result<()> {
    match fs::write(sysctl, value) {
        // A kernel without this protocol.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    /// Runs in a network namespace of its own, which the kernel removes with the thread.
    fn in_own_namespace(test: impl FnOnce() + Send) {
        let run = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            test();
        };
        std::thread::scope(|scope| scope.spawn(run).join().unwrap());
    }

    fn ip_link(name: &str) -> String {
        let output = std::process::Command::new("ip").args(["-d", "link", "show", name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn sysctl(name: &str, key: &str) -> String {
        fs::read_to_string(format!("/proc/sys/net/{}", key.replace('*', name))).unwrap()
    }

    #[test]
    fn a_tap_is_made_changed_found_and_removed() {
        in_own_namespace(|| {
            let name = name_of(Uuid::from_u128(0x1234_5678_9abc_def0_0000_0000_0000_0000));
            assert_eq!(name, "tap12345678-9a");
            ensure(&name, 299_003, 1442, Datapath::Userspace).unwrap();
            let seen = ip_link(&name);
            for word in ["mtu 1442", "NOARP", "UP", "user 299003", "persist on", "vnet_hdr off"] {
                assert!(seen.contains(word), "{word}: {seen}");
            }
            ensure(&name, 299_003, 1400, Datapath::Kernel).unwrap();
            assert!(ip_link(&name).contains("mtu 1400"));
            assert_eq!(list().unwrap().into_iter().map(|tap| tap.name).collect::<Vec<_>>(), std::slice::from_ref(&name));

            release(&name).unwrap();
            release(&name).unwrap();
            assert_eq!(list().unwrap(), []);
        });
    }

    #[test]
    fn a_tap_in_use_is_kept_as_it_is_and_not_removed() {
        in_own_namespace(|| {
            ensure("tapbusy", 0, 1500, Datapath::Userspace).unwrap();
            let user = attach("tapbusy", Datapath::Userspace).unwrap();
            ensure("tapbusy", 0, 1442, Datapath::Userspace).unwrap();
            assert!(ip_link("tapbusy").contains("mtu 1442"));
            assert!(release("tapbusy").is_err());
            drop(user);
            release("tapbusy").unwrap();
        });
    }

    #[test]
    fn the_hosts_own_stack_does_not_answer_a_guest() {
        in_own_namespace(|| {
            ensure("tapquiet", 0, 1500, Datapath::Userspace).unwrap();
            assert_eq!(sysctl("tapquiet", "ipv6/conf/*/disable_ipv6").trim(), "1");
            assert_eq!(sysctl("tapquiet", "ipv4/conf/*/rp_filter").trim(), "1");
            assert_eq!(sysctl("tapquiet", "ipv4/conf/*/arp_ignore").trim(), "8");
        });
    }

    #[test]
    fn names_that_are_no_tap_of_ours_are_refused() {
        for name in ["", "eth0", "tap/../all", "tap0123456789abc", "tap a", "lo"] {
            assert!(ensure(name, 0, 1500, Datapath::Kernel).is_err(), "{name:?}");
            assert!(release(name).is_err(), "{name:?}");
        }
    }
}
