// SPDX-License-Identifier: Apache-2.0
//! The laboratory must be trusted before what is tested in it. Needs root, Open vSwitch, tcpdump, QEMU.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Result;
use lab::{Host, KeyPair, Lab, Python, frame, wait_until};
use types::Mac;

const SHORT: Duration = Duration::from_secs(10);

fn reaches(from: &Host, address: &str) -> bool {
    from.output(["ping", "-c", "1", "-W", "1", address]).unwrap().status.success()
}

fn alive(pid: u32) -> bool {
    // A process that has ended but has not been waited for still has its folder, and no program.
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

#[test]
fn hosts_reach_each_other_until_the_cable_is_pulled() -> Result<()> {
    let lab = Lab::new()?;
    let (hv1, hv2) = (lab.host("hv1")?, lab.host("hv2")?);
    let address = hv2.underlay()?.to_string();
    wait_until("hv2 to answer", SHORT, || Ok(reaches(&hv1, &address)))?;
    assert_eq!(hv1.run(["hostname"])?, "hv1\n");
    assert_eq!(hv1.run(["ls", "/sys/class/net"])?, "eth0\neth1\nlo\n");
    assert_eq!(hv1.run(["ls", "/sys/fs/cgroup"])?.is_empty(), fs::read_dir("/sys/fs/cgroup")?.next().is_none());

    lab.cut(&hv2)?;
    assert!(!reaches(&hv1, &address));
    lab.mend(&hv2)?;
    wait_until("hv2 to answer again", SHORT, || Ok(reaches(&hv1, &address)))?;
    lab.passed()
}

#[test]
fn vlans_are_kept_apart_and_tagged_on_a_trunk() -> Result<()> {
    let lab = Lab::new()?;
    let trunk = lab.host("hv1")?;
    let desk = lab.lan_host("desk", Some(100), "192.168.7.1/24")?;
    lab.lan_host("neighbour", Some(100), "192.168.7.2/24")?;
    lab.lan_host("stranger", Some(200), "192.168.7.3/24")?;
    lab.lan_host("plain", None, "192.168.7.4/24")?;

    let tagged = trunk.capture("eth1", "vlan 100 and arp")?;
    wait_until("the neighbour to answer", SHORT, || Ok(reaches(&desk, "192.168.7.2")))?;
    assert!(!reaches(&desk, "192.168.7.3"), "VLAN 100 reaches VLAN 200");
    assert!(!reaches(&desk, "192.168.7.4"), "VLAN 100 reaches the untagged LAN");
    tagged.wait_for(&["vlan 100", "who-has 192.168.7.2"], SHORT)?;
    lab.passed()
}

#[test]
fn tcp_crosses_the_lan_whole() -> Result<()> {
    let lab = Lab::new()?;
    let server = lab.lan_host("server", None, "192.168.7.1/24")?;
    let reader = lab.lan_host("reader", None, "192.168.7.2/24")?;
    let blob = lab.folder().join("blob");
    fs::write(&blob, vec![7; 1_000_000])?;
    let _web = server.spawn("web", ["python3", "-m", "http.server", "80", "--directory", lab.folder().to_str().unwrap()])?;
    let fetch = [
        "curl",
        "--silent",
        "--fail",
        "--max-time",
        "5",
        "--output",
        "/dev/null",
        "--write-out",
        "%{size_download}",
        "http://192.168.7.1/blob",
    ];
    wait_until("a million bytes", SHORT, || Ok(reader.run(fetch)? == "1000000"))?;
    lab.passed()
}

#[test]
fn forged_frames_arrive_as_they_were_sent() -> Result<()> {
    let lab = Lab::new()?;
    let (forger, victim) = (lab.lan_host("forger", None, "192.168.7.1/24")?, lab.lan_host("victim", None, "192.168.7.2/24")?);
    let (false_mac, everyone) = (Mac([2, 0, 0, 0, 0, 0x66]), Mac([0xff; 6]));
    let seen = victim.capture("eth0", "ether src 02:00:00:00:00:66")?;
    forger.send_frame("eth0", &frame::arp_claim(false_mac, "192.168.7.9".parse()?, false_mac))?;
    forger
        .send_frame("eth0", &frame::datagram((everyone, "192.168.7.2".parse()?), (false_mac, "10.6.6.6".parse()?), b"forged"))?;
    seen.wait_for(&["Reply 192.168.7.9 is-at 02:00:00:00:00:66"], SHORT)?;
    seen.wait_for(&["10.6.6.6.9 > 192.168.7.2.9"], SHORT)?;

    // The kernel of the victim takes only a packet whose checksum is right: it answers that nobody listens there.
    let refused = forger.capture("eth0", "icmp[icmptype] == icmp-unreach")?;
    let (to, from) = (mac_of(&victim)?, mac_of(&forger)?);
    forger.send_frame("eth0", &frame::datagram((to, "192.168.7.2".parse()?), (from, "192.168.7.1".parse()?), b"hello"))?;
    refused.wait_for(&["192.168.7.2 > 192.168.7.1"], SHORT)?;
    lab.passed()
}

fn mac_of(host: &Host) -> Result<Mac> {
    Ok(host.run(["cat", "/sys/class/net/eth0/address"])?.trim().parse()?)
}

#[test]
fn hosts_can_use_the_same_names_of_namespaces() -> Result<()> {
    let lab = Lab::new()?;
    for name in ["hv1", "hv2"] {
        let host = lab.host(name)?;
        host.run(["ip", "netns", "add", "metadata"])?;
        host.run(["ip", "netns", "exec", "metadata", "ip", "link"])?;
    }
    assert!(!Path::new("/run/netns/metadata").exists());
    lab.passed()
}

#[test]
fn a_killed_process_is_gone_and_its_children_stay() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host("hv1")?;
    let mut parent = host.spawn("parent", ["sh", "-c", "sleep 1000 & echo child $!; wait"])?;
    wait_until("the child", SHORT, || Ok(parent.log()?.contains("child")))?;
    let child = parent.log()?.trim().trim_start_matches("child ").to_owned();
    assert!(parent.is_alive()?);
    parent.kill()?;
    assert!(!parent.is_alive()?);
    host.run(["kill", "-0", &child])?;
    lab.passed()
}

#[test]
fn nothing_is_left_when_a_laboratory_ends() -> Result<()> {
    let lab = Lab::new()?;
    let host = lab.host("hv1")?;
    host.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])?;
    let (folder, first) = (lab.folder().to_owned(), host.pid());
    let inside = processes_of(first);
    assert!(inside.len() >= 2, "the host runs its keeper and the sleeper: {inside:?}");
    lab.passed()?;
    assert!(inside.iter().all(|pid| !alive(*pid)), "a process outlived its host");
    assert!(!folder.exists());
    Ok(())
}

#[test]
fn nothing_is_left_when_a_laboratory_is_killed() -> Result<()> {
    let mut killed = Command::new(env!("CARGO_BIN_EXE_lab")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut folder = PathBuf::new();
    let mut keepers = Vec::new();
    for line in BufReader::new(killed.stdout.take().unwrap()).lines() {
        let line = line?;
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["folder", path] => folder = PathBuf::from(path),
            [_, "nsenter", "--target", pid, ..] => keepers.push(pid.parse()?),
            _ => break,
        }
    }
    let processes: Vec<u32> = keepers.iter().flat_map(|keeper| processes_of(*keeper)).collect();
    assert!(keepers.len() == 3 && processes.len() >= 3 && folder.exists());

    killed.kill()?;
    killed.wait()?;
    wait_until("its hosts to end", SHORT, || Ok(processes.iter().all(|pid| !alive(*pid))))?;
    Lab::new()?.passed()?;
    assert!(!folder.exists(), "the next laboratory removes its folder");
    Ok(())
}

#[test]
fn a_laboratory_that_did_not_pass_keeps_its_logs() -> Result<()> {
    let lab = Lab::new()?;
    let mut process = lab.host("hv1")?.spawn("speaker", ["sh", "-c", "echo the cause; sleep 0.2"])?;
    process.wait()?;
    let kept = lab.folder_of_kept_logs();
    drop(lab);
    assert_eq!(fs::read_to_string(kept.join("hv1/speaker.log"))?, "the cause\n");
    fs::remove_dir_all(kept)?;
    Ok(())
}

#[test]
fn the_stock_client_is_there() -> Result<()> {
    let lab = Lab::new()?;
    let openstack = Python::ensure()?.program("openstack");
    let said = lab.host("hv1")?.run([openstack.as_os_str(), "--version".as_ref()])?;
    assert!(said.starts_with("openstack "), "{said}");
    lab.passed()
}

/// Without DHCP the guest has its link-local address, which follows from its Ethernet address.
#[test]
fn the_small_guest_lets_in_by_ssh() -> Result<()> {
    let lab = Lab::new()?;
    let rack = lab.lan_host("rack", None, "192.168.7.1/24")?;
    let desk = lab.lan_host("desk", None, "192.168.7.2/24")?;
    let key = KeyPair::generate(lab.folder(), "key")?;

    let drive = lab.folder().join("drive/openstack/latest");
    fs::create_dir_all(&drive)?;
    let data = format!(
        r#"{{"uuid": "8f5cc7b5-0f3a-4c0e-9f4a-000000000002", "hostname": "small", "public_keys": {{"key": "{}"}}}}"#,
        key.public()
    );
    fs::write(drive.join("meta_data.json"), data)?;

    rack.run(["ip", "tuntap", "add", "tap0", "mode", "tap"])?;
    rack.run(["ip", "link", "add", "br0", "type", "bridge"])?;
    for device in ["tap0", "eth0"] {
        rack.run(["ip", "link", "set", device, "master", "br0", "up"])?;
    }
    rack.run(["ip", "link", "set", "br0", "up"])?;
    let disk = format!("if=virtio,snapshot=on,format=qcow2,file={}", lab::guest_image()?.display());
    let drive = format!(
        "if=virtio,format=raw,read-only=on,file.driver=vvfat,file.label=config-2,file.dir={}",
        lab.folder().join("drive").display()
    );
    let machine = "qemu-system-x86_64 -nodefaults -no-user-config -machine q35,accel=tcg -cpu max -m 160 -display none -serial stdio \
                   -netdev tap,id=net,ifname=tap0,script=no,downscript=no,vnet_hdr=off \
                   -device virtio-net-pci,netdev=net,romfile=,mac=fa:16:3e:00:00:01 -device virtio-rng-pci";
    let _machine = rack.spawn("console", machine.split_whitespace().chain(["-drive", &disk, "-drive", &drive]))?;

    let guest = desk.ssh("fe80::f816:3eff:fe00:1%eth0", &key);
    guest.wait_until_ready(Duration::from_secs(120))?;
    assert_eq!(guest.run("hostname; sudo id -un")?, "small\nroot\n");
    lab.passed()
}

/// The processes of the namespace whose first process is this one.
fn processes_of(first: u32) -> Vec<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(first);
    assert!(wanted.is_some());
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers.filter(|pid| namespace(*pid) == wanted).collect()
}
