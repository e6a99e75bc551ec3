// SPDX-License-Identifier: Apache-2.0
//! QEMU's own tools say what our layers are.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

use super::*;

const MIB: u64 = 1 << 20;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("failed"), "{program} {arguments:?}: {said}");
    said
}

fn io(path: &Path, orders: &[&str]) {
    let orders = orders.iter().flat_map(|order| ["-c", *order]);
    run("qemu-io", &["-f", "qcow2"].into_iter().chain(orders).chain([path.to_str().unwrap()]).collect::<Vec<_>>());
}

fn is_sound(path: &Path) {
    let said = run("qemu-img", &["check", "-f", "qcow2", path.to_str().unwrap()]);
    assert!(said.contains("No errors were found"), "{said}");
}

#[test]
fn data_is_there_through_freezing_and_growth() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    create_blank(&one, 8 * MIB).unwrap();
    io(&one, &["read -P 0 0 8M", "write -P 1 0 2M"]);
    create_above(&two, Base { path: &one, format: Format::Qcow2 }, 8 * MIB).unwrap();
    io(&two, &["read -P 1 0 2M", "write -P 2 1M 2M"]);
    for size in [16 * MIB, 16 * MIB, 3 << 30, GROWS_TO] {
        grow(&two, size).unwrap();
        assert_eq!(super::size(&two).unwrap(), size);
        is_sound(&two);
    }
    io(&two, &["write -P 3 3T 1M", "read -P 1 0 1M", "read -P 2 1M 2M", "read -P 0 3M 61M", "read -P 3 3T 1M"]);
    io(&one, &["read -P 1 0 2M", "read -P 0 2M 6M"]);
    // One that QEMU has made larger has room, too.
    run("qemu-img", &["resize", "-q", "-f", "qcow2", one.to_str().unwrap(), "1T"]);
    grow(&one, 2 << 40).unwrap();
    is_sound(&one);
    io(&one, &["read -P 1 0 2M", "write -P 9 1500G 1M", "read -P 0 1400G 1M"]);
}

#[test]
fn nothing_becomes_smaller_or_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    create_blank(&one, 8 * MIB).unwrap();
    grow(&one, MIB).unwrap();
    assert_eq!(size(&one).unwrap(), 8 * MIB);
    assert!(grow(&one, GROWS_TO + 1).unwrap_err().to_string().contains("cannot become larger"));
    let above = create_above(&two, Base { path: &one, format: Format::Qcow2 }, MIB);
    assert!(matches!(above, Err(Error::TooSmall { .. })) && !two.exists());
}
