// SPDX-License-Identifier: Apache-2.0
//! Archives by `tar` and `gzip`, and archives that lie.

use std::fs;

use super::super::{Container, ContainerInspector, Refusal};
use super::*;

fn judge(container: Container, content: &[u8]) -> Result<(), Refusal> {
    let whole = judge_in(container, content, content.len().max(1));
    for chunk in [7, 512, 700] {
        assert_eq!(judge_in(container, content, chunk), whole, "in pieces of {chunk}");
    }
    whole
}

fn judge_in(container: Container, content: &[u8], chunk: usize) -> Result<(), Refusal> {
    let mut inspector = ContainerInspector::new(container);
    for part in content.chunks(chunk) {
        inspector.feed(part)?;
    }
    inspector.finish()
}

fn why(container: Container, content: &[u8]) -> String {
    judge(container, content).unwrap_err().to_string()
}

/// A tar of these files, by `tar` with these arguments.
fn tar(arguments: &[&str], files: &[(&str, &[u8])]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("tar");
    command.arg("--create").args(arguments).arg("--directory").arg(dir.path());
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        command.arg(name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn appliance(arguments: &[&str]) -> Vec<u8> {
    tar(arguments, &[("a.ovf", b"<Envelope/>"), ("disk.vmdk", &[7; 3000]), ("a.mf", b"")])
}

/// The header at `at` says something else, and its sum is right.
fn lying(mut content: Vec<u8>, at: usize, place: usize, bytes: &[u8]) -> Vec<u8> {
    let header = &mut content[at..at + 512];
    header[place..place + bytes.len()].copy_from_slice(bytes);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    content
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    Command::new("gzip").arg("--stdout").arg(file.path()).output().unwrap().stdout
}

#[test]
fn honest_archives_pass() {
    let long = format!("{}/{}.ovf", "d".repeat(120), "f".repeat(150));
    for format in ["gnu", "pax", "ustar"] {
        judge(Container::Ova, &appliance(&["--format", format])).unwrap();
        let layers: [(&str, &[u8]); 2] = [("layers/1.tar", &[1; 512]), ("manifest.json", b"[]")];
        judge(Container::Docker, &tar(&["--format", format], &layers)).unwrap();
        if format != "ustar" {
            judge(Container::Ova, &tar(&["--format", format], &[(&long, b"x"), ("d", &[0; 513])])).unwrap();
        }
    }
    // A container's file system, with whatever lies in one.
    let output =
        Command::new("tar").args(["--create", "--format=pax", "--xattrs", "/dev/null", "/etc/os-release", "/bin"]).output();
    judge_in(Container::Docker, &output.unwrap().stdout, 100_000).unwrap();
    judge(Container::Compressed, &gzipped(b"anything")).unwrap();
}

#[test]
fn a_size_of_more_than_eight_gibibytes_is_read_in_both_ways_of_writing_it() {
    // The file itself is missing: what matters is that it is waited for.
    let gnu = lying(appliance(&["--format", "ustar"]), 0, 124, &[0x80, 0, 0, 0, 0, 0, 0, 2, 0x40, 0, 0, 0]);
    assert!(why(Container::Ova, &gnu).ends_with("it ends before the archive does"));
    let dir = tempfile::tempdir().unwrap();
    let file = fs::File::create(dir.path().join("a.ovf")).unwrap();
    file.set_len(9 << 30).unwrap();
    for format in ["pax", "gnu"] {
        let head = format!("tar --create --format {format} --directory {} a.ovf | head --bytes 100000", dir.path().display());
        let begun = Command::new("sh").args(["-c", &head]).output().unwrap().stdout;
        assert!(why(Container::Ova, &begun).ends_with("it ends before the archive does"), "{format}");
    }
}

#[test]
fn archives_that_lie_are_refused() {
    let honest = appliance(&["--format", "ustar"]);
    let second = 1024;
    assert_eq!(&honest[second..second + 9], b"disk.vmdk");
    let table = [
        (patched(honest.clone(), second, b"D"), "a header of the tar is not one"),
        (patched(honest.clone(), 257, b"star!"), "a header of the tar is not one"),
        (lying(honest.clone(), second, 124, b"00000001000\0"), "a header of the tar is not one"),
        (lying(honest.clone(), second, 124, b"77777777777\0"), "it ends before the archive does"),
        (lying(honest.clone(), second, 124, b"no number..."), "a file's size is no number"),
        (lying(honest.clone(), second, 124, &[0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]), "beyond all numbers"),
        (lying(honest.clone(), second, 124, &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "a file's size is no number"),
        (lying(honest.clone(), second, 156, b"S"), "of a kind that is not known"),
        (lying(honest.clone(), second, 156, b"x"), "a pax record is not well-formed"),
        (lying(lying(honest.clone(), second, 156, b"x"), second, 124, b"00077777777\0"), "too long"),
        (lying(honest.clone(), 0, 156, b"5"), "not the description"),
        (tar(&[], &[("disk.vmdk", b"x"), ("a.ovf", b"x")]), "not the description"),
        (honest[..honest.len() / 3].to_vec(), "it ends before the archive does"),
        (honest[..512].to_vec(), "it ends before the archive does"),
        ([honest.clone(), b"QFI\xfb".to_vec()].concat(), "something after its end"),
        (vec![0; 10240], "it is empty"),
        (vec![], "it ends before the archive does"),
        (b"QFI\xfb".repeat(1000), "a header of the tar is not one"),
    ];
    for (content, words) in table {
        let said = why(Container::Ova, &content);
        assert!(said.starts_with("the data is not in a container of the format ova") && said.contains(words), "{words}: {said}");
    }
}

#[test]
fn only_gzip_is_taken_for_compressed() {
    let honest = gzipped(&[1; 5000]);
    for (content, words) in [
        (vec![], "it ends before"),
        (honest[..9].to_vec(), "it ends before"),
        (patched(honest.clone(), 2, &[7]), "not known"),
        (patched(honest.clone(), 3, &[0xe0]), "not known"),
        (b"PK\x03\x04and the rest".to_vec(), "a zip file"),
        (vec![0; 5000], "no gzip file"),
        (appliance(&[]), "no gzip file"),
    ] {
        assert!(why(Container::Compressed, &content).contains(words), "{words}");
    }
}

#[test]
fn noise_in_an_archive_neither_panics_nor_passes_for_what_tar_cannot_list() {
    let archives = [appliance(&["--format", "ustar"]), appliance(&["--format", "pax"]), appliance(&["--format", "gnu"])];
    let mut noise = Noise(7);
    let (mut passed, mut listed) = (0, 0);
    for round in 0..20_000 {
        let mut content = archives[round % 3].clone();
        let begin = 512 * noise.below(content.len() / 512);
        for _ in 0..=noise.below(2) {
            let interesting = [0, 1, b'0', b'7', b'L', b'x', 0x7f, 0x80, 0xff, noise.next() as u8];
            // Name, size, sum, kind and magic: owners and times are nothing to us, and much to `tar`.
            let fields = [0..100, 124..136, 148..156, 156..157, 257..265];
            let field = fields[noise.below(fields.len())].clone();
            let place = field.start + noise.below(field.len());
            let value = interesting[noise.below(interesting.len())];
            // Now and then with a sum that is right, so that it comes further.
            let sound = noise.below(2) == 0 && content[begin..begin + 512].iter().any(|byte| *byte != 0);
            content = if sound { lying(content, begin, place, &[value]) } else { patched(content, begin + place, &[value]) };
        }
        let container = [Container::Ova, Container::Docker][noise.below(2)];
        if judge_in(container, &content, 1 + noise.below(3000)).is_err() {
            continue;
        }
        passed += 1;
        // Nor are those in pax records.
        if round % 50 == 0 && round % 3 != 1 {
            listed += 1;
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), &content).unwrap();
            let output = Command::new("tar").arg("--list").arg("--file").arg(file.path()).output().unwrap();
            assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(passed > 1000 && listed > 10, "{passed} {listed}: the noise is too loud to test anything");
}
