// SPDX-License-Identifier: Apache-2.0
//! What passes on a wire: tcpdump in a host, a line for each packet.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{Host, Process, wait_for};

/// Captures until it is dropped.
pub struct Capture {
    what: String,
    lines: PathBuf,
    _tcpdump: Process,
}

impl Host {
    /// Returns once packets are being seen. Lines begin with the link-level addresses and the VLAN tag where there is one.
    pub fn capture(&self, device: &str, filter: &str) -> Result<Capture> {
        let what = format!("{filter:?} on {device} of {}", self.name());
        let serial = fs::read_dir(self.folder())?.count();
        let name = format!("capture-{device}-{serial}");
        let command = ["tcpdump", "-Z", "root", "-i", device, "-n", "-e", "-tt", "-l", "--immediate-mode", filter];
        let tcpdump = self.spawn(&name, command)?;
        wait_for(&format!("the capture of {what}"), Duration::from_secs(10), || {
            Ok(tcpdump.log()?.contains("listening on").then_some(()))
        })?;
        Ok(Capture { what, lines: self.folder().join(format!("{name}.log")), _tcpdump: tcpdump })
    }
}

impl Capture {
    /// The packets so far.
    pub fn packets(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.lines)?;
        Ok(text.lines().filter(|line| line.contains(" > ")).map(str::to_owned).collect())
    }

    /// The first packet whose line holds all of these words.
    pub fn wait_for(&self, words: &[&str], within: Duration) -> Result<String> {
        wait_for(&format!("a packet with {words:?} among {}", self.what), within, || {
            Ok(self.packets()?.into_iter().find(|line| words.iter().all(|word| line.contains(word))))
        })
    }
}
