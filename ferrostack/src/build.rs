// SPDX-License-Identifier: Apache-2.0
//! Which build a binary is: told by the identity that the linker gives to each (a hash over all of it), which costs nothing and
//! stays when the binary is stripped or copied.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    process::Command,
    sync::LazyLock,
};

use sha2::{Digest, Sha256};

use crate::process::Process;

/// As `ferrostack --version` says it: version, commit if `./up` built it, build.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("FERROSTACK_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!("{commit}, ")).unwrap_or_default();
    format!("{} ({commit}build {})", env!("CARGO_PKG_VERSION"), own())
});

static OWN: LazyLock<String> = LazyLock::new(|| id_of(Path::new("/proc/self/exe")).unwrap_or_else(|_| "unknown".to_owned()));

/// Digits enough to tell builds apart, few enough to be read aloud.
const DIGITS: usize = 12;
const NOTES: u32 = 4;
const BUILD_ID: u32 = 3;

pub fn version() -> &'static str {
    &VERSION
}

pub fn own() -> &'static str {
    &OWN
}

/// A process of another build than ours, by what it says of itself.
pub fn other(process: &Process) -> Option<String> {
    let program = format!("/proc/{}/exe", process.pid);
    // One that is just entering its network namespace is about to become what it shall be.
    if fs::read_link(&program).ok()?.file_name()? == "ip" {
        return None;
    }
    let id = id_of(Path::new(&program)).ok()?;
    (id != own()).then(|| said_by(&program).unwrap_or_else(|| format!("build {id}")))
}

/// The link leads to the very program that runs, also when its file was replaced or removed since.
fn said_by(program: &str) -> Option<String> {
    let said = Command::new(program).arg("--version").output().ok().filter(|said| said.status.success())?.stdout;
    Some(String::from_utf8_lossy(&said).trim().strip_prefix("ferrostack ")?.to_owned())
}

/// The identity of a binary's build; of one that was linked without it, a hash of the file.
pub fn id_of(binary: &Path) -> io::Result<String> {
    let mut file = File::open(binary)?;
    let id = match linked_id(&mut file)? {
        Some(id) => id,
        None => {
            file.seek(SeekFrom::Start(0))?;
            let mut hash = Sha256::new();
            let mut piece = vec![0; 1 << 16];
            loop {
                match file.read(&mut piece)? {
                    0 => break hash.finalize().to_vec(),
                    count => hash.update(&piece[..count]),
                }
            }
        }
    };
    let mut digits = hex::encode(id);
    digits.truncate(DIGITS);
    Ok(digits)
}

/// Reads the note `GNU`, 3 of a 64-bit ELF file.
fn linked_id(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 64];
    if file.read_exact(&mut head).is_err() || !head.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let (table, size, count) = (number(&head, 32, 8), number(&head, 54, 2), number(&head, 56, 2));
    for entry in 0..count {
        let mut segment = [0; 56];
        file.seek(SeekFrom::Start(table + entry * size))?;
        file.read_exact(&mut segment)?;
        if number(&segment, 0, 4) != u64::from(NOTES) {
            continue;
        }
        let mut notes = Vec::new();
        file.seek(SeekFrom::Start(number(&segment, 8, 8)))?;
        file.take(number(&segment, 32, 8).min(1 << 16)).read_to_end(&mut notes)?;
        if let Some(id) = id_among(&notes) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Notes follow each other: the lengths of name and content, the kind, then both, each filled up to a multiple of four.
fn id_among(mut notes: &[u8]) -> Option<Vec<u8>> {
    while notes.len() >= 12 {
        let length = |at| usize::try_from(number(notes, at, 4)).unwrap_or(usize::MAX);
        let (name, content) = (length(0), length(4));
        let starts = 12 + name.min(notes.len()).next_multiple_of(4);
        let found = notes.get(starts..)?.get(..content)?;
        if number(notes, 8, 4) == u64::from(BUILD_ID) && notes.get(12..12 + name)? == b"GNU\0" {
            return Some(found.to_vec());
        }
        notes = notes.get(starts + content.next_multiple_of(4)..)?;
    }
    None
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_told_from_another_and_known_again_when_it_is_stripped() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("main.c"), folder.path().join("program"));
        let mut seen = Vec::new();
        for text in ["int main(void) { return 0; }", "int main(void) { return 1; }"] {
            fs::write(&source, text).unwrap();
            let built = Command::new("gcc").args(["-g", "-Wl,--build-id", "-o"]).arg(&program).arg(&source).status();
            assert!(built.unwrap().success());
            let id = id_of(&program).unwrap();
            assert!(Command::new("strip").arg(&program).status().unwrap().success());
            assert_eq!(id_of(&program).unwrap(), id);
            seen.push(id);
        }
        assert_ne!(seen[0], seen[1]);
        assert_eq!(seen[0].len(), DIGITS);
    }

    #[test]
    fn what_carries_no_identity_is_told_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let before = id_of(&file).unwrap();
        fs::write(&file, "#!/bin/sh\nexit\n").unwrap();
        assert_ne!(id_of(&file).unwrap(), before);
        assert_ne!(own(), "unknown");
    }

    #[test]
    fn a_torn_note_is_no_reason_to_stop() {
        for notes in [&b""[..], b"short", &[0xff; 12], &[0xff; 40], b"\x04\0\0\0\xff\0\0\0\x03\0\0\0GNU\0"] {
            assert_eq!(id_among(notes), None);
        }
    }
}
