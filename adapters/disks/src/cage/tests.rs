// SPDX-License-Identifier: Apache-2.0
//! A real `qemu-img` in the cage.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command as Plain;

use tempfile::TempDir;

use super::*;

const USER: u32 = 299_002;

fn qcow2(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("image");
    let made = Plain::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&path).arg("64M").status().unwrap();
    assert!(made.success());
    let written = Plain::new("qemu-io").args(["-f", "qcow2", "-c", "write -P 7 5M 20M"]).arg(&path).output().unwrap();
    assert!(written.status.success());
    path
}

#[tokio::test]
async fn an_image_that_only_root_can_reach_is_converted_with_progress() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let (source, target) = (qcow2(&dir), dir.path().join("raw"));
    let mut heard = vec![];
    let from = Image { path: &source, format: Format::Qcow2 };
    let to = Image { path: &target, format: Format::Raw };
    Cage::new(USER, USER).convert(from, to, |fraction| heard.push(fraction)).await.unwrap();

    let raw = std::fs::read(&target).unwrap();
    assert_eq!(raw.len(), 64 << 20);
    assert!(raw[5 << 20..25 << 20].iter().all(|byte| *byte == 7) && raw[..5 << 20].iter().all(|byte| *byte == 0));
    assert_eq!(std::fs::metadata(&target).unwrap().uid(), 0);
    assert_eq!(heard.last(), Some(&1.0));
    assert!(heard.is_sorted());
}

#[tokio::test]
async fn the_declared_format_is_believed_and_never_the_content() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (qcow2(&dir), dir.path().join("copy"));
    let bytes = std::fs::read(&source).unwrap();
    let from = Image { path: &source, format: Format::Raw };
    Cage::new(USER, USER).convert(from, Image { path: &target, format: Format::Raw }, |_| ()).await.unwrap();
    assert!(std::fs::read(&target).unwrap()[..bytes.len()] == bytes);
}

#[tokio::test]
async fn what_is_no_image_is_a_failure_with_its_reason_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("noise"), dir.path().join("raw"));
    std::fs::write(&source, [9; 4096]).unwrap();
    let from = Image { path: &source, format: Format::Qcow2 };
    let failed = Cage::new(USER, USER).convert(from, Image { path: &target, format: Format::Raw }, |_| ()).await;
    let Err(Error::QemuImg { said, .. }) = failed else { panic!("{failed:?}") };
    assert!(said.contains("qcow2"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_backing_file_of_the_host_is_out_of_reach() {
    // Our inspector refuses such an image; should one slip through, the reader has no right to the file.
    let dir = tempfile::tempdir().unwrap();
    let (secret, source, target) = (dir.path().join("secret"), dir.path().join("evil"), dir.path().join("raw"));
    std::fs::write(&secret, vec![0x42; 1 << 20]).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut create = Plain::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(&secret).arg(&source);
    assert!(create.status().unwrap().success());
    let from = Image { path: &source, format: Format::Qcow2 };
    let failed = Cage::new(USER, USER).convert(from, Image { path: &target, format: Format::Raw }, |_| ()).await;
    let Err(Error::QemuImg { said, .. }) = failed else { panic!("{failed:?}") };
    assert!(said.contains("Permission denied"), "{said}");
    assert!(!target.exists());
}

#[tokio::test]
async fn one_that_takes_too_much_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (qcow2(&dir), dir.path().join("raw"));
    let (from, to) = (Image { path: &source, format: Format::Qcow2 }, Image { path: &target, format: Format::Raw });

    let hasty = Cage { deadline: Duration::from_millis(1), ..Cage::new(USER, USER) };
    assert!(matches!(hasty.convert(from, to, |_| ()).await, Err(Error::Deadline(_))));
    let cramped = Cage { memory: 32 << 20, ..Cage::new(USER, USER) };
    assert!(matches!(cramped.convert(from, to, |_| ()).await, Err(Error::QemuImg { .. })));
    assert!(!target.exists());
}

#[tokio::test]
async fn one_that_nobody_waits_for_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (qcow2(&dir), dir.path().join("raw"));
    let (from, to) = (Image { path: &source, format: Format::Qcow2 }, Image { path: &target, format: Format::Raw });
    let cage = Cage::new(USER, USER);
    cage.check().await.unwrap();
    let waited = tokio::time::timeout(Duration::ZERO, cage.convert(from, to, |_| ())).await;
    assert!(waited.is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

const FOLDER: &str = "DISKS_CAGE_FOLDER";

/// Run by the next test: stops its `qemu-img` in the middle, says which process that is, and waits to be killed.
#[tokio::test]
#[ignore = "it needs a process of its own"]
async fn a_conversion_in_a_process_of_its_own() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let (source, target) = (folder.join("image"), folder.join("raw"));
    let (from, to) = (Image { path: &source, format: Format::Qcow2 }, Image { path: &target, format: Format::Raw });
    let stop = |_| {
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
        let pid = nix::unistd::Pid::from_raw(children.trim().parse().unwrap());
        nix::sys::signal::kill(pid, Signal::SIGSTOP).unwrap();
        std::fs::write(folder.join("pid.new"), pid.to_string()).unwrap();
        std::fs::rename(folder.join("pid.new"), folder.join("pid")).unwrap();
        std::thread::sleep(Duration::from_secs(600));
    };
    Cage::new(USER, USER).convert(from, to, stop).await.unwrap();
}

#[test]
fn a_conversion_dies_with_whoever_started_it() {
    let dir = tempfile::tempdir().unwrap();
    qcow2(&dir);
    let mut parent = Plain::new(std::env::current_exe().unwrap())
        .args(["cage::tests::a_conversion_in_a_process_of_its_own", "--exact", "--ignored"])
        .env(FOLDER, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        for _ in 0..6000 {
            if done() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("in vain: {what}");
    };
    let noted = dir.path().join("pid");
    wait("it converts", &|| noted.exists());
    let process = PathBuf::from("/proc").join(std::fs::read_to_string(&noted).unwrap());
    let is = std::fs::read_to_string(process.join("status")).unwrap();
    assert!(is.contains("qemu-img") && is.contains(&format!("Uid:\t{USER}")), "{is}");
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait("qemu-img is gone", &|| std::fs::read_to_string(process.join("status")).map_or(true, |is| is.contains("State:\tZ")));
}

#[tokio::test]
async fn a_disk_is_made_larger_and_never_shorter() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let (base, path) = (qcow2(&dir), dir.path().join("disk"));
    std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o444)).unwrap();
    crate::overlay::create(&path, Base { path: &base, format: Format::Qcow2 }, None).unwrap();
    let disk = Image { path: &path, format: Format::Qcow2 };
    let size = || Base { path: &path, format: Format::Qcow2 }.virtual_size().unwrap();
    for (wanted, found) in [(96 << 20, 96 << 20), (96 << 20, 96 << 20), (32 << 20, 96 << 20)] {
        Cage::new(USER, USER).grow(disk, wanted).await.unwrap();
        assert_eq!(size(), found);
    }
    // What it had is there, what is new is empty.
    let target = dir.path().join("raw");
    Cage::new(USER, USER).convert(disk, Image { path: &target, format: Format::Raw }, |_| ()).await.unwrap();
    let raw = std::fs::read(&target).unwrap();
    assert!(raw.len() == 96 << 20 && raw[5 << 20..25 << 20].iter().all(|byte| *byte == 7));
    assert!(raw[64 << 20..].iter().all(|byte| *byte == 0));
}
