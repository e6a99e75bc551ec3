// SPDX-License-Identifier: Apache-2.0
//! Real daemons on real layers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::DiskFormat;
use crate::block::{Layer, Merge, Merging, Source};

const USER: RunAs = RunAs { uid: 299_011, gid: 299_011 };
const MIB: u64 = 1 << 20;

struct Place {
    dir: TempDir,
    id: Uuid,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self { dir, id: Uuid::new_v4() }
    }

    fn layer(&self, id: &str, size: u64) -> Layer {
        let path = self.dir.path().join(id);
        run("qemu-img", &["create", "-q", "-f", "qcow2", path.to_str().unwrap(), &size.to_string()]);
        chown(&path, Some(USER.uid), Some(USER.gid)).unwrap();
        Layer { id: id.into(), path, format: DiskFormat::Qcow2 }
    }

    fn run_dir(&self) -> RunDir {
        RunDir::new(self.dir.path().join("run"))
    }

    async fn start(&self) -> Daemon {
        let spec = DaemonSpec { id: self.id, run_dir: self.run_dir(), run_as: USER, entrance: Entrance::None };
        Daemon::start(spec).await.unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(Some(process)) = process::find_daemon(&self.run_dir()) {
            let _ = process.kill();
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("failed"), "{program} {arguments:?}: {said}");
    said
}

fn io(node: &serde_json::Value, order: &str) {
    run("qemu-io", &["-r", "-c", order, &format!("json:{node}")]);
}

fn write(layer: &Path, order: &str) {
    run("qemu-io", &["-f", "qcow2", "-c", order, layer.to_str().unwrap()]);
}

#[tokio::test]
async fn a_daemon_is_adopted_after_its_starter_forgot_it_and_ends_when_told() {
    let place = Place::new();
    let first = place.start().await;
    let pid = first.pid();
    let second = Daemon::start(DaemonSpec { id: place.id, run_dir: place.run_dir(), run_as: USER, entrance: Entrance::None });
    assert!(matches!(second.await, Err(Error::AlreadyRunning { .. })));
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains(&format!("Uid:\t{0}\t{0}\t{0}\t{0}", USER.uid)) && status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    drop(first);
    fs::remove_file(place.run_dir().pid_file()).unwrap();
    let again = Daemon::adopt(&place.run_dir()).await.unwrap().unwrap();
    assert_eq!(again.pid(), pid);
    drop(again);
    Daemon::ensure_gone(&place.run_dir()).await.unwrap();
    assert!(Daemon::adopt(&place.run_dir()).await.unwrap().is_none() && !place.run_dir().path().exists());
}

#[tokio::test]
async fn layers_are_frozen_grown_and_merged_while_they_are_open() {
    let place = Place::new();
    let daemon = place.start().await;
    let qmp = daemon.qmp();
    let (one, two, three) = (place.layer("one", 8 * MIB), place.layer("two", 8 * MIB), place.layer("three", 8 * MIB));
    write(&one.path, "write -P 1 0 1M");
    write(&two.path, "write -P 2 2M 1M");
    let source = |layers: &[&Layer]| Source::Layers(layers.iter().map(|layer| (*layer).clone()).collect());
    let first = source(&[&one]);
    qmp.ensure_open(place.id, &first, false).await.unwrap();
    assert_eq!(qmp.ensure_open(place.id, &first, false).await.unwrap(), first.node(place.id).unwrap());
    for _ in 0..2 {
        qmp.put_above(place.id, &first, &two).await.unwrap();
    }
    let second = source(&[&one, &two]);
    qmp.put_above(place.id, &second, &three).await.unwrap();
    let third = source(&[&one, &two, &three]);
    qmp.grow(place.id, &third, 16 * MIB).await.unwrap();
    // Nobody else writes what is open.
    let output =
        Command::new("qemu-io").args(["-f", "qcow2", "-c", "write 0 4k", three.path.to_str().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("Failed to get \"write\" lock"), "{output:?}");

    // As whoever opened the chain when the lower ones were frozen long ago, and were not his to write.
    let user = |layer: &Layer, mode, uid| {
        chown(&layer.path, Some(uid), Some(uid)).unwrap();
        fs::set_permissions(&layer.path, fs::Permissions::from_mode(mode)).unwrap();
    };
    qmp.ensure_closed(place.id).await.unwrap();
    for layer in [&one, &two] {
        user(layer, 0o444, 0);
    }
    qmp.ensure_open(place.id, &third, false).await.unwrap();
    let down = Merge { upper: "two".into(), lower: "one".into() };
    let refused = qmp.begin_merge(place.id, &third, &down).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "what is not his he does not write: {refused:?}");
    user(&one, 0o600, USER.uid);
    for _ in 0..2 {
        qmp.begin_merge(place.id, &third, &down).await.unwrap();
    }
    while matches!(qmp.merging(place.id, &down).await.unwrap(), Merging::Under { .. }) {}
    assert_eq!(qmp.merging(place.id, &down).await.unwrap(), Merging::Done, "told again to whoever asks again");
    // What was put above the others while they were open is merged as well.
    let (four, five) = (place.layer("four", 16 * MIB), place.layer("five", 16 * MIB));
    let fourth = source(&[&one, &three, &four]);
    qmp.put_above(place.id, &source(&[&one, &three]), &four).await.unwrap();
    qmp.put_above(place.id, &fourth, &five).await.unwrap();
    let highest = source(&[&one, &three, &four, &five]);
    let down = Merge { upper: "four".into(), lower: "three".into() };
    qmp.begin_merge(place.id, &highest, &down).await.unwrap();
    while matches!(qmp.merging(place.id, &down).await.unwrap(), Merging::Under { .. }) {}
    assert_eq!(qmp.merging(place.id, &down).await.unwrap(), Merging::Done);
    qmp.ensure_closed(place.id).await.unwrap();
    assert_eq!(qmp.nodes_of(place.id).await.unwrap(), Vec::<String>::new());
    fs::remove_file(&two.path).unwrap();

    let both = source(&[&one, &three]).describe(place.id, true).unwrap();
    io(&both, "read -P 1 0 1M");
    io(&both, "read -P 2 2M 1M");
    io(&both, "read -P 0 3M 13M");
    daemon.stop().await.unwrap();
}
