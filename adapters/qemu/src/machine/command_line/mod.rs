// SPDX-License-Identifier: Apache-2.0
//! From a [`MachineSpec`] to the argument vector: a pure function.
//!
//! Whatever carries a value that is not a constant of ours goes in QEMU's JSON form, where a comma or a quote
//! is data. Nothing is left to defaults: no default devices, no user configuration, no probing of formats.

#[cfg(test)]
mod tests;

use std::os::fd::RawFd;
use std::path::Path;

use serde_json::{Value, json};

use super::{
    Datapath, DeviceName, Disk, DiskBus, DiskFormat, Layout, MACHINE_TYPE, MachineSpec, Nic, RunDir, Volume, WatchdogAction,
};
use crate::block::Source;
use crate::error::Error;
use crate::{Accelerator, Result};

/// Open files that QEMU inherits, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handles {
    pub qmp: RawFd,
    pub serial: RawFd,
    pub console_log: RawFd,
}

/// All that a guest's escape could use is off; it needs QEMU to be unprivileged already, which it is.
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// Translated code of a TCG guest, MiB. QEMU's own default is a quarter of the memory of the host.
const TRANSLATION_BUFFER_MIB: u32 = 64;

/// What root ports are called, before their number.
pub(super) const SLOT: &str = "port";

/// PCI slot of the first root port: below it are the host bridge and the display.
const FIRST_PORT_SLOT: usize = 2;
const FUNCTIONS_PER_SLOT: usize = 8;
/// Behind all root ports.
const WATCHDOG_SLOT: &str = "0x1e";

/// What cloud-init in a stock image looks for in DMI before it asks for OpenStack's metadata at all.
const PRODUCT: &str = "OpenStack Nova";

pub(super) fn command_line(spec: &MachineSpec, handles: Handles) -> Result<Vec<String>> {
    let mut line = Line::default();
    // The id is what an adopter recognises the process by: see `process::is_machine`.
    line.plain("-name", format!("guest={},debug-threads=on", spec.id));
    line.plain("-uuid", spec.id.to_string());
    line.flag("-nodefaults").flag("-no-user-config").flag("-S");
    line.plain("-display", "none").plain("-boot", "strict=on").plain("-rtc", "base=utc");
    line.plain("-sandbox", SANDBOX);
    // There for as long as QEMU is, and longer only if it did not end by itself.
    line.plain("-pidfile", utf8(&spec.run_dir.own_pid_file())?);
    line.plain("-machine", MACHINE_TYPE);
    line.plain("-accel", accelerator(spec.accelerator)).plain("-cpu", spec.accelerator.cpu_model());
    line.plain("-m", format!("{}M", spec.memory_mib)).plain("-smp", format!("cpus={0},sockets={0}", spec.vcpus));
    line.plain("-smbios", format!("type=1,manufacturer=Ferrostack,product={PRODUCT},serial={0},uuid={0}", spec.id));

    line.plain("-chardev", format!("socket,id=qmp,fd={},server=on,wait=off", handles.qmp));
    line.plain("-mon", "chardev=qmp,mode=control");
    line.plain("-add-fd", format!("fd={},set=1", handles.console_log));
    let serial = format!("socket,id=serial0,fd={},server=on,wait=off,logfile=/dev/fdset/1,logappend=on", handles.serial);
    line.plain("-chardev", serial);
    line.device(json!({ "driver": "isa-serial", "chardev": "serial0", "id": "com1" }));
    line.plain("-vnc", format!("unix:{}", RunDir::VNC));
    line.device(json!({ "driver": "VGA", "id": "display0", "bus": "pcie.0", "addr": "0x1" }));

    // A guest that panics says so, and is kept as it is; whoever restarts it can see why first.
    line.device(json!({ "driver": "pvpanic", "id": "panic0" }));
    line.plain("-action", format!("panic=pause,watchdog={}", spec.watchdog.unwrap_or(WatchdogAction::None).word()));
    if spec.watchdog.is_some() {
        line.device(json!({ "driver": "i6300esb", "id": "watchdog0", "bus": "pcie.0", "addr": WATCHDOG_SLOT }));
    }

    let layout = Layout::of(spec);
    root_ports(&mut line, layout.taken() + usize::from(spec.spare_slots))?;
    let slot = |port: usize| format!("{SLOT}{port}");
    if let Some(port) = layout.controller() {
        line.device(json!({ "driver": "virtio-scsi-pci", "id": "scsi0", "bus": slot(port) }));
    }
    let mut number = 0;
    for disk in &spec.disks {
        match disk.bus {
            DiskBus::Virtio => {
                virtio_disk(&mut line, disk, &slot(layout.disk(number)))?;
                number += 1;
            }
            DiskBus::Cdrom => cdrom(&mut line, disk)?,
        }
    }
    for volume in &spec.volumes {
        line.json("-blockdev", volume.source.describe(volume.id, volume.read_only)?);
        line.device(drive(volume, &slot(layout.disk(number)))?);
        number += 1;
    }
    for (number, nic) in spec.nics.iter().enumerate() {
        network(&mut line, nic, &slot(layout.nic(number)));
    }
    line.device(json!({ "driver": "virtio-rng-pci", "id": "rng0", "bus": slot(layout.rng()) }));
    Ok(line.arguments)
}

/// A root port for every device and the spare ones: on PCI Express only what sits in a port of its own can be
/// unplugged, or plugged in later.
fn root_ports(line: &mut Line, ports: usize) -> Result<()> {
    if ports > 24 * FUNCTIONS_PER_SLOT {
        return Err(Error::Spec(format!("{ports} devices are more than the bus holds")));
    }
    for port in 0..ports {
        let (slot, function) = (FIRST_PORT_SLOT + port / FUNCTIONS_PER_SLOT, port % FUNCTIONS_PER_SLOT);
        line.device(json!({
            "driver": "pcie-root-port", "id": format!("{SLOT}{port}"), "bus": "pcie.0", "chassis": port + 1,
            "addr": format!("{slot:#x}.{function:#x}"), "multifunction": true,
        }));
    }
    Ok(())
}

fn accelerator(accelerator: Accelerator) -> String {
    match accelerator {
        Accelerator::Kvm => "kvm".into(),
        Accelerator::Tcg => format!("tcg,tb-size={TRANSLATION_BUFFER_MIB}"),
    }
}

fn virtio_disk(line: &mut Line, disk: &Disk, slot: &str) -> Result<()> {
    line.blockdev(disk, disk.read_only)?;
    let mut device = json!({
        "driver": "virtio-blk-pci", "id": format!("{DISK}{}", disk.name), "bus": slot, "drive": node(disk),
        // Where its host has no room left the guest waits until there is some; any other error is the guest's to see.
        "werror": "enospc", "rerror": "report",
    });
    describe(&mut device, disk);
    line.device(device);
    Ok(())
}

/// A volume's drive, in this slot. What a guest cannot write it waits for, rather than to lose it or to give its file system up:
/// also where the volume lies on another host, which may come back.
pub(super) fn drive(volume: &Volume, slot: &str) -> Result<Value> {
    let is_here = matches!(volume.source, Source::Layers(_));
    let mut device = json!({
        "driver": "virtio-blk-pci", "id": drive_id(&volume.name()), "bus": slot, "drive": volume.source.node(volume.id)?,
        "serial": volume.serial, "werror": if is_here { "enospc" } else { "stop" }, "rerror": if is_here { "report" } else { "stop" },
    });
    if let Some(index) = volume.boot_index {
        device["bootindex"] = index.into();
    }
    Ok(device)
}

pub(super) fn drive_id(name: &DeviceName) -> String {
    format!("{DISK}{name}")
}

fn cdrom(line: &mut Line, disk: &Disk) -> Result<()> {
    line.blockdev(disk, true)?;
    let mut device = json!({ "driver": "scsi-cd", "id": format!("{DISK}{}", disk.name), "bus": "scsi0.0", "drive": node(disk) });
    describe(&mut device, disk);
    line.device(device);
    Ok(())
}

fn describe(device: &mut Value, disk: &Disk) {
    if let Some(index) = disk.boot_index {
        device["bootindex"] = index.into();
    }
    if let Some(serial) = &disk.serial {
        device["serial"] = serial.as_str().into();
    }
}

pub(super) const DISK: &str = "disk-";

fn node(disk: &Disk) -> String {
    format!("node-{}", disk.name)
}

fn network(line: &mut Line, nic: &Nic, slot: &str) {
    line.json("-netdev", backend(nic));
    line.device(card(nic, slot));
}

/// The end of a card's wire, as QEMU is told of it.
pub(super) fn backend(nic: &Nic) -> Value {
    json!({
        "type": "tap", "id": backend_id(&nic.name), "ifname": nic.tap, "script": "no", "downscript": "no", "vhost": false,
        "vnet_hdr": nic.datapath == Datapath::Kernel,
    })
}

pub(super) fn backend_id(name: &DeviceName) -> String {
    format!("net-{name}")
}

/// The card itself, in this slot.
pub(super) fn card(nic: &Nic, slot: &str) -> Value {
    json!({
        "driver": "virtio-net-pci", "id": card_id(&nic.name), "bus": slot, "netdev": backend_id(&nic.name),
        "mac": nic.mac, "host_mtu": nic.mtu, "romfile": "",
    })
}

pub(super) const CARD: &str = "nic-";

pub(super) fn card_id(name: &DeviceName) -> String {
    format!("{CARD}{name}")
}

#[derive(Default)]
struct Line {
    arguments: Vec<String>,
}

impl Line {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.arguments.push(flag.into());
        self
    }

    fn plain(&mut self, flag: &str, value: impl Into<String>) -> &mut Self {
        self.arguments.extend([flag.into(), value.into()]);
        self
    }

    fn json(&mut self, flag: &str, value: Value) {
        self.arguments.extend([flag.into(), value.to_string()]);
    }

    fn device(&mut self, device: Value) {
        self.json("-device", device);
    }

    fn blockdev(&mut self, disk: &Disk, read_only: bool) -> Result<()> {
        let driver = match disk.format {
            DiskFormat::Raw => "raw",
            DiskFormat::Qcow2 => "qcow2",
        };
        self.json(
            "-blockdev",
            json!({
                "driver": driver, "node-name": node(disk), "read-only": read_only, "discard": "unmap",
                "file": { "driver": "file", "filename": utf8(&disk.path)?, "read-only": read_only, "discard": "unmap" },
            }),
        );
        Ok(())
    }
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::Spec(format!("{} is not UTF-8", path.display())))
}
