// SPDX-License-Identifier: Apache-2.0
//! Whether the kernel can forward packets for Open vSwitch.

use std::path::Path;

use tokio::process::Command;

use super::program;

/// Whether the kernel has the openvswitch module, loaded, built in, or to be loaded now.
pub async fn kernel_datapath_available() -> bool {
    if Path::new("/sys/module/openvswitch").exists() {
        return true;
    }
    match program::find("modprobe") {
        // Succeeds for what is built in, too.
        Ok(modprobe) => program::run(Command::new(modprobe).args(["-q", "openvswitch"])).await.is_ok(),
        Err(_) => false,
    }
}
