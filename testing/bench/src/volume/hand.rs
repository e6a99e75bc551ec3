// SPDX-License-Identifier: Apache-2.0
//! The floor: a file that is plugged into a QEMU by hand.

use std::{path::PathBuf, process::Command, time::Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::server::raw::Running;

pub struct Disk {
    path: PathBuf,
    serial: String,
}

impl Disk {
    /// As any administrator makes it.
    pub fn make(raw: &Running, serial: &str) -> anyhow::Result<Self> {
        let path = raw.folder.path().join("data.qcow2");
        let output = Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&path).arg("1G").output();
        let output = output.context("run qemu-img")?;
        ensure!(output.status.success(), "qemu-img: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { path, serial: serial.to_owned() })
    }

    /// How long QEMU takes, in milliseconds.
    pub async fn plug(&self, raw: &mut Running) -> anyhow::Result<f64> {
        let began = Instant::now();
        let node = json!({"driver": "qcow2", "node-name": "data", "file": {"driver": "file", "filename": self.path}});
        raw.monitor.ask("blockdev-add", &node).await?;
        // Behind those of the model, the highest slots are free.
        let ports = raw.monitor.ask("qom-list", &json!({"path": "/machine/peripheral"})).await?;
        let names = ports.as_array().context("a list of devices")?.iter().filter_map(|child| child["name"].as_str());
        let last = names.filter_map(|name| name.strip_prefix("port")?.parse::<u32>().ok()).max().context("a free slot")?;
        let device = json!({"driver": "virtio-blk-pci", "id": "data-disk", "drive": "data", "bus": format!("port{last}"),
            "serial": self.serial});
        raw.monitor.ask("device_add", &device).await?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }

    pub async fn freeze(&self, raw: &mut Running) -> anyhow::Result<f64> {
        let began = Instant::now();
        let above = self.path.with_file_name("above.qcow2");
        let order = json!({"node-name": "data", "snapshot-file": above, "snapshot-node-name": "above", "format": "qcow2"});
        raw.monitor.ask("blockdev-snapshot-sync", &order).await?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }
}
