// SPDX-License-Identifier: Apache-2.0
//! A machine for tests of everything around machines: it starts, and then sleeps without using the processor.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{Api, id};

/// cli; hlt; jmp to the hlt
const SLEEP: [u8; 4] = [0xfa, 0xf4, 0xeb, 0xfd];
const SECTOR: usize = 512;
/// The BIOS does not boot a disk of less than a cylinder.
const DISK: usize = 1 << 20;

impl Api {
    /// A raw image whose boot sector sleeps.
    pub fn load_sleeper(&self) -> Result<String> {
        let mut disk = SLEEP.to_vec();
        disk.resize(SECTOR - 2, 0);
        disk.extend([0x55, 0xaa]);
        disk.resize(DISK, 0);
        let ask = json!({"name": "sleeper", "disk_format": "raw", "container_format": "bare"});
        let image = id(&self.post("/image/v2/images", &ask)?)?;
        let path = format!("/image/v2/images/{image}/file");
        let answer = self.send("PUT", &path, "application/octet-stream", disk.into())?;
        ensure!(answer.status == 204, "{answer}");
        Ok(image)
    }
}
