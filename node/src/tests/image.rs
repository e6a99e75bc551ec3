// SPDX-License-Identifier: Apache-2.0
//! The cache of images.

use std::{collections::HashSet, fs, sync::Arc, time::Duration};

use contracts::node::MachineState;
use disks::{Format, cage::Cage};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use sha2::{Digest, Sha512};

use super::{
    cloud::{Cloud, Node},
    guest,
};
use crate::{
    image::{ImageCache, Needed},
    link::Link,
};

#[tokio::test(flavor = "multi_thread")]
async fn images_in_use_outlive_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let name = |content: &[u8]| hex::encode(Sha512::digest(content));
    let contents: Vec<Vec<u8>> = (0..4).map(|number| vec![number; 1000]).collect();
    for (age, content) in contents.iter().enumerate() {
        let path = dir.path().join(name(content));
        fs::write(&path, content).unwrap();
        let used = std::time::SystemTime::now() - Duration::from_secs(1000 * (10 - age as u64));
        fs::File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
    }
    fs::write(dir.path().join("torn.partial"), "half").unwrap();
    let cache = |room| {
        ImageCache::open(dir.path().to_owned(), dir.path().join("none"), room, Arc::new(Link::new()), Cage::new(297_999, 297_999))
            .unwrap()
    };
    let there = || contents.iter().map(|content| dir.path().join(name(content)).exists()).collect::<Vec<_>>();

    // There is room for one that is not in use. The first is the oldest, but a machine rests on it.
    cache(1500).trim(HashSet::from([name(&contents[0])]), Duration::from_secs(600)).await.unwrap();
    assert_eq!(there(), [true, false, false, true]);
    // One that was used a moment ago may be a new machine's.
    let wanted = Needed { sha512: name(&contents[3]), size: 1000, format: Format::Raw, disk: 1000, ticket: None };
    cache(1500).ensure(&wanted).await.unwrap();
    cache(0).trim(HashSet::new(), Duration::from_secs(600)).await.unwrap();
    assert_eq!(there(), [false, false, false, true]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_several_machines_want_is_fetched_once() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let image = guest::obedient();
    let machines: Vec<_> = (0..3).map(|_| guest::machine(&cloud, &image)).collect();
    for machine in &machines {
        cloud.want(&id, machine);
    }
    for machine in &machines {
        cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    }
    assert_eq!(*cloud.rooms.images_sent.lock().unwrap(), 1);
    node.stop().await;
}

/// Of raw content, an image in another format.
fn converted(raw: &[u8], format: &str, options: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("raw"), dir.path().join("image"));
    fs::write(&from, raw).unwrap();
    let mut command = std::process::Command::new("qemu-img");
    let status = command.args(["convert", "-f", "raw", "-O", format, "-o", options]).args([&from, &to]).status();
    assert!(status.unwrap().success());
    fs::read(to).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_another_maker_is_converted_once_and_boots() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let images = node.dir().join("images");
    for (format, driver, options) in [
        ("vmdk", "vmdk", "subformat=streamOptimized"),
        ("vhd", "vpc", "force_size=on"),
        ("vhdx", "vhdx", "subformat=dynamic"),
        ("vdi", "vdi", "static=off"),
    ] {
        let image = converted(&guest::obedient(), driver, options);
        let machines: Vec<_> = (0..2)
            .map(|_| {
                let mut machine = guest::machine(&cloud, &image);
                machine.root_mut().unwrap().format = format.into();
                machine
            })
            .collect();
        for machine in &machines {
            cloud.want(&id, machine);
        }
        for machine in &machines {
            cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
        }
        let hash = &machines[0].root().unwrap().sha512;
        assert!(images.join(format!("{hash}.qcow2")).exists(), "{format}");
        assert!(!images.join(hash).exists(), "the original of {format} is of no more use");
        for machine in &machines {
            cloud.unwant(&id, &machine.server_id);
        }
    }
    assert_eq!(*cloud.rooms.images_sent.lock().unwrap(), 4);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_names_another_file_is_not_converted() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let text = "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"/etc/shadow\" 0\n";
    let mut machine = guest::machine(&cloud, text.as_bytes());
    machine.root_mut().unwrap().format = "vmdk".into();
    cloud.want(&id, &machine);
    let failed = |found: &contracts::node::MachineObserved| matches!(found.state, MachineState::Failed { .. });
    let found = cloud.rooms.observed_when(&machine.server_id, failed).await;
    assert!(format!("{:?}", found.state).contains("another file"), "{:?}", found.state);
    node.stop().await;
}

/// Run by the next test in a namespace of mounts, so that the small disk goes with the process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a process of its own"]
async fn a_host_whose_disk_is_small() {
    let cloud = Cloud::start().await;
    let config = cloud.config("one", Some(cloud.token().await));
    let images = config.state_dir.join("images");
    fs::create_dir_all(&images).unwrap();
    mount(Some("tmpfs"), &images, Some("tmpfs"), MsFlags::empty(), Some("size=3m,mode=711")).unwrap();
    let node = Node::start(config);
    let id = cloud.up("one").await.id;
    let there = || {
        let names = fs::read_dir(&images).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let mut image = guest::obedient();
    image.resize(2 << 20, 0);

    // An image that nobody used for long makes room; one that a machine rests on does not.
    let unused = images.join("ab".repeat(64));
    fs::write(&unused, vec![1; 2 << 20]).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(86_400);
    fs::File::options().write(true).open(&unused).unwrap().set_modified(long_ago).unwrap();
    let first = guest::machine(&cloud, &image);
    cloud.want(&id, &first);
    cloud.rooms.state_when(&first.server_id, MachineState::Running).await;
    assert_eq!(there(), [first.root().unwrap().sha512.clone()].into());

    image[1 << 20] = 1;
    let second = guest::machine(&cloud, &image);
    // Small as it comes, and larger than the disk once it is converted.
    let mut third = guest::machine(&cloud, &converted(&vec![7; 2 << 20], "vmdk", "subformat=streamOptimized"));
    third.root_mut().unwrap().format = "vmdk".into();
    for (machine, words) in
        [(&second, "an image needs 2097152 bytes there"), (&third, "an image of the format vmdk was to become")]
    {
        cloud.want(&id, machine);
        let failed = |found: &contracts::node::MachineObserved| matches!(found.state, MachineState::Failed { .. });
        let found = cloud.rooms.observed_when(&machine.server_id, failed).await;
        let MachineState::Failed { cause, transient, .. } = found.state else { panic!("{:?}", found.state) };
        assert!(!transient && cause.contains("the disk of this host that has") && cause.contains(words), "{cause}");
        assert!(cause.contains(images.to_str().unwrap()), "{cause}");
    }
    assert_eq!(
        there(),
        [first.root().unwrap().sha512.clone(), third.root().unwrap().sha512.clone()].into(),
        "nothing half-made is left"
    );
    node.stop().await;
    qemu::Machine::ensure_gone(
        first.server_id.as_str().parse().unwrap(),
        &qemu::RunDir::new(cloud.dir.path().join("one/machines").join(first.server_id.as_str()).join("run")),
    )
    .await
    .unwrap();
    umount2(&images, MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn a_full_disk_fails_the_machine_and_is_named() {
    let output = std::process::Command::new("unshare")
        .arg("--mount")
        .arg(std::env::current_exe().unwrap())
        .args(["tests::image::a_host_whose_disk_is_small", "--exact", "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("an image that no machine uses is dropped") && log.contains("an image is converted to qcow2"), "{log}");
}
