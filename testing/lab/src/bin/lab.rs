// SPDX-License-Identifier: Apache-2.0
//! A laboratory to walk around in: two hosts and a LAN host, kept until standard input closes.

use std::io::{Write, read_to_string, stdin, stdout};

fn main() -> anyhow::Result<()> {
    let lab = lab::Lab::new()?;
    let hosts = [lab.host("hv1")?, lab.host("hv2")?, lab.lan_host("lan0", None, "172.24.4.1/24")?];
    println!("folder {}", lab.folder().display());
    for host in &hosts {
        println!("{}: nsenter --target {} --root --wd --mount --net --uts --pid bash", host.name(), host.pid());
    }
    println!("ready; close standard input (Ctrl-D) to end it");
    stdout().flush()?;
    read_to_string(stdin())?;
    lab.passed()
}
