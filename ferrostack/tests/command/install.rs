// SPDX-License-Identifier: Apache-2.0
//! What `./up` does with the binary that it has built, in a folder of the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::FERROSTACK;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self) -> PathBuf {
        self.folder.path().join("bin/ferrostack")
    }

    /// Returns the program as installed, and what was noted.
    fn install(&self, binary: &Path) -> (PathBuf, String) {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
        let script = r#"set -euo pipefail; . "$1/say.sh"; . "$1/install.sh"; INSTALLED=$2/lib COMMAND=$2/bin/ferrostack
            program=$(install_build "$3"); printf '%s' "$program""#;
        let mut bash = Command::new("bash");
        bash.args(["-c", script, "up"]).arg(scripts).arg(self.folder.path()).arg(binary);
        let output = bash.output().unwrap();
        let noted = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{noted}");
        (String::from_utf8(output.stdout).unwrap().into(), noted)
    }
}

fn version(program: &Path) -> String {
    String::from_utf8(Command::new(program).arg("--version").output().unwrap().stdout).unwrap()
}

/// The same program with another identity, as another build has it.
fn another_build(folder: &Path) -> PathBuf {
    let mut bytes = fs::read(FERROSTACK).unwrap();
    let head = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = bytes.windows(head.len()).position(|window| window == head).expect("the linker gives builds an identity");
    bytes[at + head.len()] ^= 0xff;
    let path = folder.join("another");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::metadata(FERROSTACK).unwrap().permissions()).unwrap();
    path
}

#[test]
fn builds_are_installed_side_by_side_and_the_command_is_the_newest() {
    let place = Place::new();
    let (first, noted) = place.install(Path::new(FERROSTACK));
    assert!(noted.is_empty(), "{noted}");
    assert_eq!(place.command().canonicalize().unwrap(), first.canonicalize().unwrap());
    assert_eq!(version(&place.command()), version(Path::new(FERROSTACK)));
    assert!(first.metadata().unwrap().len() < fs::metadata(FERROSTACK).unwrap().len(), "lines and names lie beside it");
    assert!(first.with_file_name("ferrostack.debug").exists());
    assert_eq!(place.install(Path::new(FERROSTACK)).0, first, "the same build is there already");

    let (second, _) = place.install(&another_build(place.folder.path()));
    assert_ne!(second, first);
    assert!(first.exists(), "what runs from it goes on");
    assert_eq!(place.command().canonicalize().unwrap(), second.canonicalize().unwrap());
    assert_ne!(version(&second), version(&first));
}

#[test]
fn a_command_of_that_name_that_is_not_ours_stays() {
    let place = Place::new();
    fs::create_dir(place.folder.path().join("bin")).unwrap();
    fs::write(place.command(), "theirs").unwrap();
    let (program, noted) = place.install(Path::new(FERROSTACK));
    assert_eq!(fs::read_to_string(place.command()).unwrap(), "theirs");
    assert!(noted.contains(&program.display().to_string()), "{noted}");
}
