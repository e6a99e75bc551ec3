// SPDX-License-Identifier: Apache-2.0
//! Where a cloud beside another has its switch: in a network namespace of its own.
//!
//! A network namespace holds one Open vSwitch: its devices bear fixed names. The default cloud has the host's own
//! namespace; any other gets one, tied to the host by two veth pairs: `control`, over which its agent reaches the
//! controller, and `outside`, by which the host takes part in its external network.
//!
//! ```text
//!   host                                 namespace ferrostack-<tag>
//!   controller ── fs<tag>c ═══ control ── agent, Open vSwitch, machines
//!   172.24.N.1 ── fs<tag>x ═══ outside ── bridge br-external
//! ```

use std::net::Ipv4Addr;

use super::host::{offloads_off, run, succeeds};
use crate::home::Home;

pub struct Island {
    pub namespace: String,
    /// The host's ends of the two pairs.
    pub control: String,
    pub outside: String,
    /// The host's and the namespace's address on the control pair, a /30.
    pub controller: Ipv4Addr,
    pub agent: Ipv4Addr,
}

/// The namespace's ends.
const CONTROL: &str = "control";
pub const OUTSIDE: &str = "outside";

impl Island {
    /// The names and addresses that follow from where the cloud's state lies. The range is the one for benchmarks
    /// (RFC 2544), which no network at large uses.
    pub fn of(home: &Home) -> Self {
        let tag = home.tag();
        let number = u16::from_str_radix(&tag, 16).unwrap_or_default();
        let [third, fourth] = (number & 0xfffc).to_be_bytes();
        Self {
            namespace: format!("ferrostack-{tag}"),
            control: format!("fs{tag}c"),
            outside: format!("fs{tag}x"),
            controller: Ipv4Addr::new(198, 18, third, fourth + 1),
            agent: Ipv4Addr::new(198, 18, third, fourth + 2),
        }
    }

    /// Makes what is missing of it. Returns whether anything was.
    pub fn ensure(&self) -> anyhow::Result<bool> {
        let mut made = false;
        if !succeeds("ip", &["-n", &self.namespace, "link", "show", "dev", "lo"]) {
            // A name that leads to no namespace any more is left by a mount namespace that ended.
            let _ = succeeds("ip", &["netns", "delete", &self.namespace]);
            run("ip", &["netns", "add", &self.namespace])?;
            made = true;
        }
        run("ip", &["-n", &self.namespace, "link", "set", "lo", "up"])?;
        for (outer, inner) in [(&self.control, CONTROL), (&self.outside, OUTSIDE)] {
            let there = succeeds("ip", &["link", "show", "dev", outer])
                && succeeds("ip", &["-n", &self.namespace, "link", "show", "dev", inner]);
            if !there {
                made = true;
                // Half a pair, from a run that was killed, is made anew.
                let _ = succeeds("ip", &["link", "delete", outer]);
                run("ip", &["link", "add", outer, "type", "veth", "peer", "name", inner, "netns", &self.namespace])?;
            }
            // A userspace switch does not finish checksums that the kernel leaves to hardware.
            offloads_off(None, outer)?;
            offloads_off(Some(&self.namespace), inner)?;
            run("ip", &["link", "set", outer, "up"])?;
            run("ip", &["-n", &self.namespace, "link", "set", inner, "up"])?;
        }
        run("ip", &["addr", "replace", &format!("{}/30", self.controller), "dev", &self.control])?;
        run("ip", &["-n", &self.namespace, "addr", "replace", &format!("{}/30", self.agent), "dev", CONTROL])?;
        Ok(made)
    }

    /// Takes it away with all devices in it; that there is none is fine.
    pub fn release(&self) {
        for device in [&self.control, &self.outside] {
            let _ = succeeds("ip", &["link", "delete", device]);
        }
        let _ = succeeds("ip", &["netns", "delete", &self.namespace]);
    }
}
