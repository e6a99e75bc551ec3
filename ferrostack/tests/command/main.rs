// SPDX-License-Identifier: Apache-2.0
//! The command as a shell calls it: whose reader may stop reading, and which is installed apart from where it is built.
#![allow(clippy::unwrap_used, clippy::panic)]

mod install;

use std::{
    fs::{self, File},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Output, Stdio},
};

const FERROSTACK: &str = env!("CARGO_BIN_EXE_ferrostack");

/// A home with a configuration and nothing else.
fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ferrostack.toml"), "").unwrap();
    folder
}

/// Runs a verb whose output nobody reads.
fn unread(home: &Path, words: &[&str]) -> Output {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    let nobody: OwnedFd = writer;
    let mut command = Command::new(FERROSTACK);
    command.args(words).env("FERROSTACK_HOME", home).stdin(Stdio::null()).stdout(nobody).stderr(Stdio::piped());
    command.output().unwrap()
}

#[test]
fn a_verb_that_does_something_goes_on_when_nobody_reads() {
    let folder = home();
    for words in [&["identity", "bootstrap"][..], &["identity", "rotate-keys"], &["identity", "rotate-credential-keys"]] {
        let output = unread(folder.path(), words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{words:?}: {} {said}", output.status);
    }
    assert!(fs::read_dir(folder.path().join("secrets/fernet-keys")).unwrap().count() > 2, "the keys were rotated");
    assert!(unread(folder.path(), &["down"]).status.success());
}

#[test]
fn a_password_that_nobody_has_read_is_a_failure_and_no_panic() {
    let folder = home();
    assert!(unread(folder.path(), &["identity", "bootstrap"]).status.success());
    let output = unread(folder.path(), &["identity", "reset-password"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("nobody has read it"), "{said}");
}

#[test]
fn a_verb_that_only_tells_ends_quietly_with_its_reader() {
    let folder = home();
    for words in [&["routes"][..], &["policy", "list"], &["image", "catalogue"]] {
        let output = unread(folder.path(), words);
        assert!(output.stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_complaint_that_nobody_reads_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let closed = File::options().read(true).open("/dev/null").unwrap();
    let mut command = Command::new(FERROSTACK);
    command.arg("status").env("FERROSTACK_HOME", folder.path()).stdout(Stdio::null()).stderr(closed);
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn the_version_tells_the_build() {
    let said = Command::new(FERROSTACK).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let build = said.trim().split("build ").nth(1).unwrap().trim_end_matches(')');
    assert!(build.len() == 12 && build.bytes().all(|digit| digit.is_ascii_hexdigit()), "{said}");
}

/// What a home holds that others on the host may read.
#[test]
fn no_file_of_a_cloud_is_open_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = home();
    // As an earlier build left it.
    let configuration = folder.path().join("ferrostack.toml");
    fs::set_permissions(&configuration, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(unread(folder.path(), &["identity", "bootstrap"]).status.success());
    let mut folders = vec![folder.path().to_owned()];
    let mut seen = 0;
    while let Some(path) = folders.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
            let mode = path.metadata().unwrap().permissions().mode();
            if kind.is_dir() {
                folders.push(path);
            } else {
                seen += 1;
                assert_eq!(mode & 0o007, 0, "{} is {:o}", path.display(), mode & 0o777);
            }
        }
    }
    assert!(seen > 5 && configuration.metadata().unwrap().permissions().mode() & 0o777 == 0o600);
}

#[test]
fn a_cloud_whose_configuration_cannot_be_read_is_not_destroyed_by_guess() {
    let folder = home();
    fs::write(folder.path().join("ferrostack.toml"), "[node\n").unwrap();
    let output = unread(folder.path(), &["destroy", "--yes"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("nothing was deleted") && folder.path().exists(), "{said}");
}
