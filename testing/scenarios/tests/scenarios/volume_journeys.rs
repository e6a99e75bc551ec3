// SPDX-License-Identifier: Apache-2.0
//! What a guest wrote is there, by its checksum, whatever became of its machine, of its host's daemons and of the controller.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use lab::{Host, KeyPair, Process, Ssh, wait_for, wait_until};
use scenarios::{Api, BOOT, Cloud, Wanted, id, text};
use serde_json::{Value, json};

/// From a request to its end on an emulated host.
const SOON: Duration = Duration::from_secs(120);
const OTHER: [(&str, &str); 2] = [("hv1", "hv2"), ("hv2", "hv1")];

/// A cloud with a network that an office reaches.
struct Place {
    cloud: Cloud,
    office: Host,
    key: KeyPair,
    image: String,
    network: String,
    external: String,
}

struct Machine {
    server: String,
    floating: String,
}

#[test]
fn a_file_on_a_volume_outlives_its_machine_its_daemons_and_its_snapshots() -> Result<()> {
    let mut place = Place::new()?;
    let volume = place.make_volume(json!({"name": "data", "size": 1}))?;
    let host = place.host_of(&volume)?;

    // On the volume's own host, over a rebuild of the machine.
    let machine = place.boot("left", &host)?;
    place.attach(&machine, &volume)?;
    let ssh = place.ssh(&machine);
    let device = device_of(&ssh, &volume)?;
    ssh.run(&format!("sudo mke2fs -q -t ext4 {device}"))?;
    mount(&ssh, &volume)?;
    ssh.run("sudo dd if=/dev/urandom of=/mnt/first bs=1M count=24 conv=fsync 2>/dev/null")?;
    let first = checksum(&ssh, "first")?;
    act(place.api(), &machine.server, &json!({"rebuild": {"imageRef": place.image}}))?;
    wait_for_server(place.api(), &machine.server, "ACTIVE")?;
    place.wait_until_ready(&machine)?;
    mount(&ssh, &volume)?;
    same(&ssh, "first", &first, "over a rebuild")?;

    // What a snapshot holds becomes a volume, and a guest lets that one go while it runs.
    ssh.run("sudo dd if=/dev/urandom of=/mnt/second bs=1M count=8 conv=fsync 2>/dev/null")?;
    let second = checksum(&ssh, "second")?;
    let ask = json!({"snapshot": {"volume_id": volume, "name": "then"}});
    let snapshot = id(&place.api().post("/volume/v3/snapshots", &ask)?["snapshot"])?;
    wait_until("the snapshot", SOON, || {
        Ok(place.api().get(&format!("/volume/v3/snapshots/{snapshot}"))?["snapshot"]["status"] == "available")
    })?;
    ssh.run("sudo dd if=/dev/urandom of=/mnt/second bs=1M count=8 conv=fsync 2>/dev/null")?;
    let changed = checksum(&ssh, "second")?;
    let then = place.make_volume(json!({"name": "then", "size": 1, "snapshot_id": snapshot}))?;
    place.attach(&machine, &then)?;
    let device = device_of(&ssh, &then)?;
    ssh.run(&format!("sudo mkdir -p /then && sudo mount {device} /then"))?;
    let found = ssh.run("sha256sum /then/first /then/second")?;
    ensure!(found.contains(&first) && found.contains(&second), "the snapshot holds {found}, not {first} and {second}");
    ssh.run("sudo umount /then")?;
    place.detach(&machine, &then)?;
    wait_until("the disk to go from the guest", SOON, || Ok(serials(&ssh)?.len() == 1))?;
    place.api().delete(&format!("/volume/v3/volumes/{then}"))?;
    place.wait_until_gone(&then)?;

    // Its layers are merged under the running guest.
    place.api().delete(&format!("/volume/v3/snapshots/{snapshot}"))?;
    wait_until("the layers to be merged", SOON, || Ok(place.layers(&host, &volume)? == 2))?;
    ssh.run("echo 3 | sudo tee /proc/sys/vm/drop_caches")?;
    same(&ssh, "first", &first, "over a merge")?;
    same(&ssh, "second", &changed, "over a merge")?;
    ssh.run("sudo umount /mnt")?;
    place.delete(machine)?;
    place.wait_for_volume(&volume, "available")?;

    // On the other host, over the network.
    let other = other_than(&host);
    let machine = place.boot("right", other)?;
    place.attach(&machine, &volume)?;
    let ssh = place.ssh(&machine);
    mount(&ssh, &volume)?;
    same(&ssh, "first", &first, "on another host")?;
    same(&ssh, "second", &changed, "on another host")?;
    grows_under_the_guest(&place, &ssh, &volume)?;
    same(&ssh, "first", &first, "after it has grown")?;
    no_acknowledged_write_is_lost(&mut place, &machine, &volume, (&host, other))?;
    same(&place.ssh(&machine), "first", &first, "after all that was killed")?;

    place.ssh(&machine).run("sudo umount /mnt")?;
    place.detach(&machine, &volume)?;
    place.delete(machine)?;
    place.api().delete(&format!("/volume/v3/volumes/{volume}"))?;
    place.wait_until_gone(&volume)?;
    place.passed()
}

/// It sees the larger disk at once, whatever host that lies on, and uses it.
fn grows_under_the_guest(place: &Place, ssh: &Ssh, volume: &str) -> Result<()> {
    let device = device_of(ssh, volume)?;
    let ask = json!({"os-extend": {"new_size": 2}});
    let answer = place.api().ask("POST", &format!("/volume/v3/volumes/{volume}/action"), &ask)?;
    ensure!(answer.status == 202, "{answer}");
    let sectors = format!("cat /sys/block/{}/size", device.trim_start_matches("/dev/"));
    wait_until("the guest to see the larger disk", SOON, || Ok(ssh.run(&sectors)?.trim() == "4194304"))?;
    ssh.run(&format!("sudo resize2fs {device} 2>&1"))?;
    let megabytes = ssh.run("df -m /mnt | tail -n 1")?;
    let total = megabytes.split_whitespace().nth(1).and_then(|total| total.parse::<u64>().ok());
    ensure!(total.is_some_and(|total| total > 1500), "{megabytes}");
    Ok(())
}

/// A guest appends numbers to a file, each synced before it is told to us; everything around it is killed meanwhile, and at last
/// the power is cut.
fn no_acknowledged_write_is_lost(place: &mut Place, machine: &Machine, volume: &str, (host, other): (&str, &str)) -> Result<()> {
    let line = "n=0; while n=$((n+1)); do echo $n | sudo dd of=/mnt/log oflag=append conv=notrunc,fsync 2>/dev/null && echo \
                \"acknowledged $n\"; sleep 0.05; done";
    let writer = place.begin(machine, line)?;
    goes_on(&writer)?;
    for (at, what) in [(host, "the export"), (other, "the bridge"), (host, "the export again")] {
        let killed = kill_storage_daemons(place.cloud.host(at)?, volume)?;
        ensure!(killed == 1, "{what}: {killed} daemons of the volume were on {at}");
        goes_on(&writer).with_context(|| format!("after {what} was killed"))?;
    }
    for at in [host, other] {
        place.cloud.restart_agent(at, Duration::from_secs(1))?;
        goes_on(&writer).with_context(|| format!("after the agent of {at} was killed"))?;
    }
    place.cloud.restart_controller(Duration::from_secs(1))?;
    goes_on(&writer).context("after the controller was killed")?;
    // All at once, with the agents that would start them again.
    for at in [host, other] {
        place.cloud.agent(at)?.process.kill()?;
        kill_storage_daemons(place.cloud.host(at)?, volume)?;
    }
    thread::sleep(Duration::from_secs(2));
    for at in [host, other] {
        place.cloud.start_agent(at)?;
    }
    place.cloud.wait_for_hosts()?;
    goes_on(&writer).context("after all were killed")?;

    act(place.api(), &machine.server, &json!({"reboot": {"type": "HARD"}}))?;
    wait_for_server(place.api(), &machine.server, "ACTIVE")?;
    let acknowledged = acknowledged(&writer)?;
    place.wait_until_ready(machine)?;
    let ssh = place.ssh(machine);
    mount(&ssh, volume)?;
    let written: Vec<u64> = ssh.run("cat /mnt/log")?.lines().filter_map(|line| line.parse().ok()).collect();
    let lost: Vec<u64> = (1..=acknowledged).filter(|number| !written.contains(number)).collect();
    ensure!(lost.is_empty(), "of {acknowledged} acknowledged writes these are lost: {lost:?}");
    Ok(())
}

#[test]
fn a_machine_boots_from_a_volume_and_the_volume_boots_on_another_host() -> Result<()> {
    let place = Place::new()?;
    let root = place.make_volume(json!({"name": "root", "size": 1, "imageRef": place.image}))?;
    let host = place.host_of(&root)?;
    let machine = place.boot_from(&root, "here", &host)?;
    let ssh = place.ssh(&machine);
    ssh.run("sudo dd if=/dev/urandom of=/root.mark bs=1M count=8 conv=fsync 2>/dev/null; sync")?;
    let mark = ssh.run("sha256sum </root.mark")?;
    place.delete(machine)?;
    place.wait_for_volume(&root, "available")?;

    let machine = place.boot_from(&root, "there", other_than(&host))?;
    let ssh = place.ssh(&machine);
    let found = ssh.run("sha256sum </root.mark")?;
    ensure!(found == mark, "{mark} became {found}");
    // Its bridge and its export go and come under its own root file system.
    for at in ["hv1", "hv2"] {
        kill_storage_daemons(place.cloud.host(at)?, &root)?;
    }
    ssh.run("sudo dd if=/dev/urandom of=/other.mark bs=1M count=4 conv=fsync 2>/dev/null; sync; sha256sum </other.mark")?;
    place.delete(machine)?;
    place.api().delete(&format!("/volume/v3/volumes/{root}"))?;
    place.wait_until_gone(&root)?;
    place.passed()
}

impl Place {
    fn new() -> Result<Self> {
        let cloud = Cloud::start()?;
        let office = cloud.lab.lan_host("office", None, "172.24.4.1/24")?;
        let key = KeyPair::generate(cloud.lab.folder(), "key")?;
        let image = cloud.load_guest_image()?;
        let external = cloud.make_external()?;
        let me = &cloud.admin;
        let network = me.make_network("inner")?;
        let subnet = me.make_subnet(&network, "10.0.7.0/24")?;
        me.make_router(&external, &subnet)?;
        me.make_keypair("key", key.public())?;
        me.allow("tcp", Some(22))?;
        Ok(Self { cloud, office, key, image, network, external })
    }

    fn api(&self) -> &Api {
        &self.cloud.admin
    }

    fn boot(&self, name: &str, host: &str) -> Result<Machine> {
        let (image, network) = (&self.image, &self.network);
        let server = self.api().create_server(&Wanted { name, image, network, host, key: "key", ..Wanted::default() })?;
        self.wait_for(server)
    }

    fn boot_from(&self, volume: &str, name: &str, host: &str) -> Result<Machine> {
        let ask = json!({"server": {"name": name, "flavorRef": "m1.micro", "networks": [{"uuid": self.network}], "key_name": "key",
        "availability_zone": format!("nova:{host}"), "block_device_mapping_v2": [{
            "source_type": "volume", "uuid": volume, "destination_type": "volume", "boot_index": 0,
            "delete_on_termination": false,
        }]}});
        let server = id(&self.api().post("/compute/v2.1/servers", &ask)?["server"])?;
        self.wait_for(server)
    }

    fn wait_for(&self, server: String) -> Result<Machine> {
        self.api().wait_for_active(&server)?;
        let floating = self.api().make_floating_ip(&self.external, &server)?;
        let machine = Machine { server, floating };
        self.wait_until_ready(&machine)?;
        Ok(machine)
    }

    fn ssh(&self, machine: &Machine) -> Ssh<'_> {
        self.office.ssh(&machine.floating, &self.key)
    }

    fn wait_until_ready(&self, machine: &Machine) -> Result<()> {
        let console = || format!("the console says:\n{}", self.api().console(&machine.server));
        self.ssh(machine).wait_until_ready(BOOT).with_context(console)
    }

    /// Runs on in the guest; what it says is the process's log.
    fn begin(&self, machine: &Machine, line: &str) -> Result<Process> {
        let (key, to) = (self.key.private().display().to_string(), format!("cirros@{}", machine.floating));
        let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ServerAliveInterval=5"];
        let options = options.iter().flat_map(|option| ["-o", option]);
        let words: Vec<&str> = ["ssh", "-i", &key].into_iter().chain(options).chain([to.as_str(), line]).collect();
        self.office.spawn("writer", words)
    }

    fn delete(&self, machine: Machine) -> Result<()> {
        self.api().delete_server(&machine.server)?;
        self.api().wait_until_gone(&machine.server)
    }

    fn make_volume(&self, ask: Value) -> Result<String> {
        let volume = id(&self.api().post("/volume/v3/volumes", &json!({"volume": ask}))?["volume"])?;
        self.wait_for_volume(&volume, "available")?;
        Ok(volume)
    }

    fn host_of(&self, volume: &str) -> Result<String> {
        let shown = self.api().get(&format!("/volume/v3/volumes/{volume}"))?;
        let host = text(&shown["volume"]["os-vol-host-attr:host"])?;
        Ok(host.split('@').next().unwrap_or_default().to_owned())
    }

    fn attach(&self, machine: &Machine, volume: &str) -> Result<()> {
        let ask = json!({"volumeAttachment": {"volumeId": volume}});
        self.api().post(&format!("/compute/v2.1/servers/{}/os-volume_attachments", machine.server), &ask)?;
        self.wait_for_volume(volume, "in-use")
    }

    fn detach(&self, machine: &Machine, volume: &str) -> Result<()> {
        self.api().delete(&format!("/compute/v2.1/servers/{}/os-volume_attachments/{volume}", machine.server))?;
        self.wait_for_volume(volume, "available")
    }

    fn wait_for_volume(&self, volume: &str, status: &str) -> Result<()> {
        let mut last = Value::Null;
        let came = wait_until(&format!("volume {volume} to be {status}"), SOON, || {
            last = self.api().get(&format!("/volume/v3/volumes/{volume}"))?["volume"].take();
            Ok(last["status"] == status)
        });
        came.with_context(|| last.to_string())
    }

    fn wait_until_gone(&self, volume: &str) -> Result<()> {
        let path = format!("/volume/v3/volumes/{volume}");
        wait_until(&format!("volume {volume} to be gone"), SOON, || Ok(self.api().ask("GET", &path, &json!({}))?.status == 404))
    }

    /// The files that a volume consists of on its host.
    fn layers(&self, host: &str, volume: &str) -> Result<usize> {
        let folder = self.cloud.host(host)?.folder().join("home/node/volumes").join(volume);
        let listed = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?.flatten();
        Ok(listed.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "qcow2")).count())
    }

    fn passed(self) -> Result<()> {
        self.cloud.wait_for_clean_audit()?;
        self.cloud.passed()
    }
}

fn other_than(host: &str) -> &'static str {
    OTHER.iter().find(|(this, _)| *this == host).map_or("hv1", |(_, other)| other)
}

/// As the guest calls the disks that came later, by their serial numbers.
fn serials(ssh: &Ssh) -> Result<Vec<(String, String)>> {
    let said = ssh.run("for disk in /sys/block/vd*; do echo ${disk##*/} $(cat $disk/serial); done")?;
    let pairs = said.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.filter(|(_, serial)| serial.contains('-')).map(|(name, serial)| (name.into(), serial.into())).collect())
}

/// Once the guest has found it.
fn device_of(ssh: &Ssh, volume: &str) -> Result<String> {
    wait_for("the guest to find the volume", SOON, || {
        let found = serials(ssh)?.into_iter().find(|(_, serial)| volume.starts_with(serial.as_str()));
        Ok(found.map(|(name, _)| format!("/dev/{name}")))
    })
}

fn mount(ssh: &Ssh, volume: &str) -> Result<()> {
    let device = device_of(ssh, volume)?;
    ssh.run(&format!("sudo mount {device} /mnt")).map(drop)
}

fn checksum(ssh: &Ssh, file: &str) -> Result<String> {
    let said = ssh.run(&format!("sha256sum </mnt/{file}"))?;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

fn same(ssh: &Ssh, file: &str, wanted: &str, when: &str) -> Result<()> {
    let found = checksum(ssh, file)?;
    ensure!(found == wanted, "{file} {when}: {found}, not {wanted}");
    Ok(())
}

fn acknowledged(writer: &Process) -> Result<u64> {
    let log = writer.log()?;
    let numbers = log.lines().filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
    Ok(numbers.max().unwrap_or_default())
}

/// Some more than what is on its way already.
fn goes_on(writer: &Process) -> Result<()> {
    let before = acknowledged(writer)?;
    wait_until("the writer to go on", SOON, || Ok(acknowledged(writer)? > before + 5))
}

/// Those of a volume that are on this host, its exports and bridges. How many there were.
fn kill_storage_daemons(host: &Host, volume: &str) -> Result<usize> {
    let shown = host.run(["ps", "-eo", "pid=,args="])?;
    let is_its = |line: &&str| line.contains("qemu-storage-daemon") && line.contains(&format!("/{volume}/"));
    let pids: Vec<&str> = shown.lines().filter(is_its).filter_map(|line| line.split_whitespace().next()).collect();
    for pid in &pids {
        host.run(["kill", "-KILL", pid])?;
    }
    Ok(pids.len())
}

fn act(api: &Api, server: &str, action: &Value) -> Result<()> {
    let answer = api.ask("POST", &format!("/compute/v2.1/servers/{server}/action"), action)?;
    ensure!((200..300).contains(&answer.status), "{action}: {answer}");
    Ok(())
}

/// At rest, in this status.
fn wait_for_server(api: &Api, server: &str, status: &str) -> Result<()> {
    let mut last = Value::Null;
    let came = wait_until(&format!("server {server} to be {status}"), SOON, || {
        last = api.server(server)?;
        Ok(last["status"] == status && last["OS-EXT-STS:task_state"].is_null())
    });
    came.with_context(|| last.to_string())
}
