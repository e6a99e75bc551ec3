// SPDX-License-Identifier: Apache-2.0
//! QEMU's own tools say what our overlays are.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::*;

const MIB: u64 = 1 << 20;

fn qemu_img(arguments: &[&str]) -> String {
    let output = Command::new("qemu-img").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn base(dir: &TempDir, format: &str, size: &str) -> PathBuf {
    let path = dir.path().join(format!("base, \"{format}\""));
    qemu_img(&["create", "-q", "-f", format, path.to_str().unwrap(), size]);
    let write = ["-f", format, "-c", "write -P 0x5a 1M 1M", path.to_str().unwrap()];
    assert!(Command::new("qemu-io").args(write).output().unwrap().status.success());
    path
}

#[test]
fn qemu_finds_a_sound_overlay_of_the_right_size_on_the_right_base() {
    let dir = tempfile::tempdir().unwrap();
    for (name, format) in [("raw", Format::Raw), ("qcow2", Format::Qcow2)] {
        let base_path = base(&dir, name, "10M");
        for (case, size) in [("same", None), ("odd", Some(11 * MIB + 1)), ("large", Some(1 << 41)), ("largest", Some(LARGEST))] {
            let path = dir.path().join(format!("{name}-{case}"));
            create(&path, Base { path: &base_path, format }, size).unwrap();
            let path = path.to_str().unwrap();
            let found: Value = serde_json::from_str(&qemu_img(&["info", "-f", "qcow2", "--output=json", path])).unwrap();
            assert_eq!(found["virtual-size"], size.unwrap_or(10 * MIB).next_multiple_of(512), "{name} {case}");
            assert_eq!(found["full-backing-filename"], base_path.to_str().unwrap());
            assert_eq!(found["backing-filename-format"], name);
            assert_eq!(found["format-specific"]["data"]["compat"], "1.1");
            let checked: Value = serde_json::from_str(&qemu_img(&["check", "-f", "qcow2", "--output=json", path])).unwrap();
            assert_eq!((&checked["check-errors"], &checked["leaks"]), (&0.into(), &Value::Null), "{checked}");
        }
        let same = dir.path().join(format!("{name}-same"));
        qemu_img(&["compare", "-f", "qcow2", "-F", name, same.to_str().unwrap(), base_path.to_str().unwrap()]);
    }
}

#[test]
fn an_overlay_takes_writes_and_its_base_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let base_path = base(&dir, "qcow2", "600M");
    let before = std::fs::read(&base_path).unwrap();
    let path = dir.path().join("overlay");
    create(&path, Base { path: &base_path, format: Format::Qcow2 }, Some(2 << 30)).unwrap();
    // On both sides of what the first entry of the L1 table reaches, and beyond the base.
    let orders = ["read -P 0x5a 1M 1M", "write -P 1 1M 64k", "write -P 2 513M 1M", "write -P 3 1536M 1M", "read -P 1 1M 64k"];
    let rest = ["read -P 0x5a 1088k 960k", "read -P 2 513M 1M", "read -P 3 1536M 1M", "read -P 0 2047M 1M"];
    let mut command = Command::new("qemu-io");
    command.args(["-f", "qcow2"]).args(orders.iter().chain(&rest).flat_map(|order| ["-c", order])).arg(&path);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("failed"), "{said}");
    qemu_img(&["check", "-q", "-f", "qcow2", path.to_str().unwrap()]);
    assert!(before == std::fs::read(&base_path).unwrap());
}

#[test]
fn an_overlay_on_an_overlay_knows_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let base_path = base(&dir, "raw", "10M");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    create(&first, Base { path: &base_path, format: Format::Raw }, Some(20 * MIB)).unwrap();
    create(&second, Base { path: &first, format: Format::Qcow2 }, None).unwrap();
    assert_eq!(Base { path: &second, format: Format::Qcow2 }.virtual_size().unwrap(), 20 * MIB);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let base_path = base(&dir, "qcow2", "10M");
    let path = dir.path().join("overlay");
    let on = |path, format| Base { path, format };

    let smaller = create(&path, on(&base_path, Format::Qcow2), Some(10 * MIB - 512));
    assert!(matches!(smaller, Err(Error::TooSmall { needed, .. }) if needed == 10 * MIB));
    assert!(matches!(create(&path, on(&base_path, Format::Vmdk), None), Err(Error::NotAnImage { .. })));
    assert!(matches!(create(&path, on(&base_path, Format::Qcow2), Some(LARGEST + 1)), Err(Error::Unusable(_))));
    assert!(matches!(create(&path, on(Path::new("/not/there"), Format::Raw), None), Err(Error::Io { .. })));
    let raw = base(&dir, "raw", "2M");
    assert!(matches!(create(&path, on(&raw, Format::Qcow2), None), Err(Error::NotAnImage { .. })));
    assert!(!path.exists());
}
