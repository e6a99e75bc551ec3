// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::{DeviceName, RunAs, RunDir};

const HANDLES: Handles = Handles { qmp: 10, serial: 11, console_log: 12 };

fn disk(name: &str, bus: DiskBus) -> Disk {
    Disk {
        name: DeviceName::new(name).unwrap(),
        path: format!("/disks/{name}").into(),
        format: DiskFormat::Qcow2,
        bus,
        read_only: false,
        boot_index: None,
        serial: None,
    }
}

fn nic(datapath: Datapath) -> Nic {
    let name = DeviceName::new("port").unwrap();
    Nic { name, tap: "tap0".into(), mac: "fa:16:3e:00:00:01".into(), mtu: 1442, datapath }
}

fn spec() -> MachineSpec {
    MachineSpec {
        id: Uuid::from_u128(7),
        vcpus: 2,
        memory_mib: 512,
        accelerator: Accelerator::Kvm,
        disks: vec![disk("root", DiskBus::Virtio)],
        volumes: vec![],
        nics: vec![nic(Datapath::Kernel)],
        console_log: "/log".into(),
        run_dir: RunDir::new("/run/m"),
        run_as: RunAs { uid: 1, gid: 1 },
        spare_slots: 2,
        watchdog: None,
    }
}

fn line(spec: &MachineSpec) -> Vec<String> {
    command_line(spec, HANDLES).unwrap()
}

fn values<'a>(line: &'a [String], flag: &str) -> Vec<&'a str> {
    line.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].as_str()).collect()
}

fn jsons(line: &[String], flag: &str) -> Vec<Value> {
    values(line, flag).into_iter().map(|value| serde_json::from_str(value).unwrap()).collect()
}

fn device(line: &[String], id: &str) -> Value {
    jsons(line, "-device").into_iter().find(|device| device["id"] == id).unwrap()
}

#[test]
fn nothing_is_left_to_defaults() {
    let line = line(&spec());
    for flag in ["-nodefaults", "-no-user-config", "-S"] {
        assert!(line.iter().any(|argument| argument == flag), "{flag}");
    }
    assert_eq!(values(&line, "-sandbox"), [SANDBOX]);
    assert_eq!(values(&line, "-accel"), ["kvm"]);
    assert_eq!(values(&line, "-m"), ["512M"]);
    assert_eq!(values(&line, "-smp"), ["cpus=2,sockets=2"]);
    assert_eq!(values(&line, "-vnc"), ["unix:own/vnc"]);
    assert!(line.iter().all(|argument| !argument.contains("usb-") && !argument.contains("fdc")));
}

#[test]
fn every_disk_has_its_format_pinned_at_both_levels() {
    for (format, driver) in [(DiskFormat::Raw, "raw"), (DiskFormat::Qcow2, "qcow2")] {
        let mut spec = spec();
        spec.disks[0].format = format;
        let disk = &jsons(&line(&spec), "-blockdev")[0];
        assert_eq!((&disk["driver"], &disk["file"]["driver"]), (&driver.into(), &"file".into()));
    }
}

#[test]
fn values_that_would_mean_something_to_an_option_parser_stay_values() {
    let hostile = "/d/a,file.driver=host_device,\"}]' \n-snapshot";
    let mut spec = spec();
    spec.disks[0].path = hostile.into();
    spec.disks[0].serial = Some(hostile.into());
    spec.nics[0].mac = hostile.into();
    spec.nics[0].tap = hostile.into();
    spec.run_dir = RunDir::new("/run/a,websocket=on");
    let (plain, hostile_line) = (line(&self::spec()), line(&spec));
    assert_eq!(plain.len(), hostile_line.len());
    assert_eq!(jsons(&hostile_line, "-blockdev")[0]["file"]["filename"], hostile);
    assert_eq!(device(&hostile_line, "disk-root")["serial"], hostile);
    assert_eq!(device(&hostile_line, "nic-port")["mac"], hostile);
    assert_eq!(jsons(&hostile_line, "-netdev")[0]["ifname"], hostile);
    assert_eq!(values(&hostile_line, "-vnc"), ["unix:own/vnc"]);
}

#[test]
fn offloads_are_for_the_kernel_datapath_only() {
    for (datapath, on) in [(Datapath::Kernel, true), (Datapath::Userspace, false)] {
        let mut spec = spec();
        spec.nics = vec![nic(datapath)];
        let netdev = &jsons(&line(&spec), "-netdev")[0];
        assert_eq!((&netdev["vnet_hdr"], &netdev["script"]), (&on.into(), &"no".into()));
    }
}

#[test]
fn every_device_sits_in_a_port_of_its_own_and_spare_ones_stay() {
    let mut spec = spec();
    spec.disks.push(disk("data", DiskBus::Virtio));
    spec.disks.push(disk("config", DiskBus::Cdrom));
    let line = line(&spec);
    let devices = jsons(&line, "-device");
    let ports = devices.iter().filter(|device| device["driver"] == "pcie-root-port").count();
    let mut used: Vec<_> = devices.iter().filter_map(|device| device["bus"].as_str()).filter(|bus| *bus != "pcie.0").collect();
    used.retain(|bus| bus.starts_with("port"));
    let count = used.len();
    used.sort_unstable();
    used.dedup();
    assert_eq!((ports, count, used.len()), (5 + 2, 5, 5));
    let config = jsons(&line, "-blockdev").into_iter().find(|disk| disk["node-name"] == "node-config").unwrap();
    assert_eq!((&config["read-only"], &config["file"]["read-only"]), (&true.into(), &true.into()));
}

#[test]
fn what_a_guest_can_say_of_itself_is_heard_and_a_full_disk_holds_it() {
    let line = line(&spec());
    assert_eq!(values(&line, "-action"), ["panic=pause,watchdog=none"]);
    assert_eq!(device(&line, "panic0")["driver"], "pvpanic");
    let disk = device(&line, "disk-root");
    assert_eq!((&disk["werror"], &disk["rerror"]), (&"enospc".into(), &"report".into()));
    assert!(jsons(&line, "-device").iter().all(|device| device["driver"] != "i6300esb"));

    let spec = MachineSpec { watchdog: Some(WatchdogAction::Reset), ..spec() };
    let line = self::line(&spec);
    assert_eq!(values(&line, "-action"), ["panic=pause,watchdog=reset"]);
    assert_eq!(device(&line, "watchdog0")["driver"], "i6300esb");
}

#[test]
fn a_bus_has_its_limits() {
    let mut spec = spec();
    spec.spare_slots = 250;
    assert!(matches!(command_line(&spec, HANDLES), Err(Error::Spec(_))));
}

#[test]
fn device_names_are_plain_and_short() {
    for name in ["root", "a", "vol-0123456789abcdef012345"] {
        assert_eq!(DeviceName::new(name).unwrap().as_str(), name);
    }
    for name in ["", "1a", "A", "a,b", "a b", "a_b", "ä", "abcdefghijklmnopqrstuvwxyz0"] {
        assert!(DeviceName::new(name).is_err(), "{name}");
    }
    let one = DeviceName::for_id(Uuid::new_v4());
    assert_eq!(DeviceName::new(one.as_str()).unwrap(), one);
}

#[test]
fn devices_sit_where_the_layout_says() {
    let mut spec = spec();
    let second = DeviceName::new("second").unwrap();
    spec.nics.push(Nic { name: second, ..nic(Datapath::Kernel) });
    for (cdrom, root, second_nic) in [(false, "0000:01:00.0", "0000:03:00.0"), (true, "0000:02:00.0", "0000:04:00.0")] {
        if cdrom {
            spec.disks.push(disk("config", DiskBus::Cdrom));
        }
        let layout = Layout::new(cdrom, 1, 2);
        assert_eq!((layout.address_of_disk(0).as_str(), layout.address_of_nic(1).as_str()), (root, second_nic));
        let line = line(&spec);
        let port_of = |id: &str| device(&line, id)["bus"].as_str().unwrap().trim_start_matches("port").parse::<usize>().unwrap();
        let address = |id: &str| format!("0000:{:02x}:00.0", port_of(id) + 1);
        assert_eq!((address("disk-root").as_str(), address("nic-second").as_str()), (root, second_nic));
    }
}
