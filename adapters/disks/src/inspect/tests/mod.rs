// SPDX-License-Identifier: Apache-2.0
//! Images by QEMU, images by an attacker, and noise.
#![allow(clippy::unwrap_used, clippy::panic)]

mod container;
mod foreign;

use std::process::Command;

use serde_json::Value;

use super::*;

fn judge(declared: Format, content: &[u8]) -> Result<Inspection, Refusal> {
    judge_in_chunks(declared, content, content.len().max(1))
}

fn judge_in_chunks(declared: Format, content: &[u8], chunk: usize) -> Result<Inspection, Refusal> {
    let mut inspector = Inspector::new(declared, Limits::default());
    for part in content.chunks(chunk) {
        inspector.feed(part)?;
    }
    inspector.finish()
}

/// An image by `qemu-img create`.
fn made(format: &str, options: &str, size: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", format]);
    if !options.is_empty() {
        command.args(["-o", options]);
    }
    let output = command.arg(&path).arg(size).output().unwrap();
    assert!(output.status.success(), "{format} {options}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(&path).unwrap()
}

/// The virtual size, if QEMU can open it.
fn qemu_says(format: &str, content: &[u8]) -> Option<u64> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let output = Command::new("qemu-img").args(["info", "--output=json", "-f", format]).arg(file.path()).output().unwrap();
    serde_json::from_slice::<Value>(&output.stdout).ok()?["virtual-size"].as_u64()
}

fn patched(mut image: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

fn iso() -> Vec<u8> {
    crate::config_drive::image(&Default::default()).unwrap()
}

#[test]
fn sound_images_pass_and_are_as_large_as_qemu_says() {
    let cases = [
        ("qcow2", "", "10M"),
        ("qcow2", "compat=0.10", "10M"),
        ("qcow2", "cluster_size=512", "1M"),
        ("qcow2", "cluster_size=2M", "5T"),
        ("qcow2", "extended_l2=on,cluster_size=128k", "3G"),
        ("qcow2", "compression_type=zstd,lazy_refcounts=on", "1G"),
        ("qcow2", "refcount_bits=1", "64M"),
        ("qcow2", "preallocation=metadata", "7M"),
        ("qcow2", "", "0"),
        ("qcow2", "", "64T"),
        ("raw", "", "1M"),
        ("raw", "", "513"),
        ("vmdk", "subformat=monolithicSparse", "10M"),
        ("vmdk", "subformat=monolithicSparse,compat6=on", "5T"),
        ("vmdk", "subformat=streamOptimized", "10M"),
        ("vpc", "subformat=dynamic", "10M"),
        ("vpc", "subformat=dynamic,force_size=on", "10M"),
        ("vpc", "subformat=dynamic,force_size=on", "1T"),
        ("vpc", "subformat=fixed", "3M"),
        ("vpc", "subformat=fixed,force_size=on", "3M"),
        ("vhdx", "", "10M"),
        ("vhdx", "subformat=fixed", "3M"),
        ("vhdx", "block_size=256M", "5T"),
        ("vdi", "", "10M"),
        ("vdi", "static=on", "3M"),
        ("vdi", "", "1T"),
    ];
    for (name, options, size) in cases {
        let image = made(name, options, size);
        let format = if name == "vpc" { Format::Vhd } else { name.parse().unwrap() };
        for chunk in [image.len(), 65_536, 4096, 1000] {
            let found = judge_in_chunks(format, &image, chunk).unwrap_or_else(|refusal| panic!("{name} {options}: {refusal}"));
            assert_eq!((found.format, found.length), (format, image.len() as u64));
            assert_eq!(Some(found.virtual_size), qemu_says(name, &image), "{name} {options}");
        }
        let beginning = &image[..image.len().min(400_000)];
        assert_eq!(judge_in_chunks(format, beginning, 1), judge(format, beginning), "{name} {options}");
    }
}

#[test]
fn content_that_is_not_what_was_declared_is_refused() {
    let vmdk = |subformat: &str| made("vmdk", &format!("subformat={subformat}"), "1M");
    let contents = [
        (Format::Qcow2, made("qcow2", "", "1M")),
        (Format::Qcow, made("qcow", "", "1M")),
        (Format::Qed, made("qed", "", "1M")),
        (Format::Vmdk, vmdk("monolithicSparse")),
        (Format::Vmdk, vmdk("streamOptimized")),
        (Format::Vmdk, vmdk("monolithicFlat")),
        (Format::Vhd, made("vpc", "subformat=dynamic", "1M")),
        (Format::Vhd, made("vpc", "subformat=fixed", "1M")),
        (Format::Vhdx, made("vhdx", "", "1M")),
        (Format::Vdi, made("vdi", "", "1M")),
        (Format::Ploop, made("parallels", "", "1M")),
        (Format::Iso, iso()),
        (Format::Raw, vec![0; 70_000]),
    ];
    for (content, image) in &contents {
        for declared in [Format::Raw, Format::Qcow2, Format::Iso, Format::Vmdk, Format::Vhd, Format::Vhdx, Format::Vdi] {
            let fits = declared == *content || (declared == Format::Raw && *content == Format::Iso);
            match judge(declared, image) {
                Ok(_) => assert!(fits, "{content} passed as {declared}"),
                // A flat VMDK is a text that names other files.
                Err(Refusal::ExternalDataFile) => assert!(fits && *content == Format::Vmdk && image.starts_with(b"#")),
                // Only its end makes a fixed VHD one, and gives it away.
                Err(Refusal::Malformed { what: "it has no footer" }) => {
                    assert!(declared == Format::Vhd && *content == Format::Raw)
                }
                Err(Refusal::NotAsDeclared { found: Format::Raw, .. }) => {
                    assert!(!fits && declared != Format::Raw && matches!(content, Format::Raw | Format::Vhd));
                }
                Err(refusal) => assert_eq!(refusal, Refusal::NotAsDeclared { declared, found: *content }),
            }
        }
    }
    for format in [Format::Qcow, Format::Qed, Format::Ploop] {
        let image = &contents.iter().find(|(content, _)| *content == format).unwrap().1;
        assert_eq!(judge(format, image), Err(Refusal::NotAccepted { format }));
    }
}

#[test]
fn an_image_that_is_two_formats_at_once_is_taken_for_the_dangerous_one() {
    let polyglot = patched(iso(), 0, &made("qcow2", "", "1M")[..512]);
    for declared in [Format::Iso, Format::Raw] {
        assert_eq!(judge(declared, &polyglot), Err(Refusal::NotAsDeclared { declared, found: Format::Qcow2 }));
    }
}

#[test]
fn an_image_that_nobody_described_is_judged_as_what_it_is() {
    let judge = |content: &[u8]| {
        let mut inspector = Inspector::of_anything(Limits::default());
        content.chunks(4096).try_for_each(|chunk| inspector.feed(chunk))?;
        inspector.finish()
    };
    for format in ["qcow2", "vmdk", "vdi"] {
        let found = judge(&made(format, "", "16M")).unwrap();
        assert_eq!((found.format.as_str(), found.virtual_size), (format, 16 << 20));
    }
    assert_eq!(judge(&[7; 5000]).unwrap().format, Format::Raw);
    let backed = patched(made("qcow2", "", "16M"), 8, &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 8]);
    assert_eq!(judge(&backed), Err(Refusal::BackingFile));
    let vhdx = judge(&made("vhdx", "", "16M"));
    assert_eq!(vhdx, Err(Refusal::NotAsDeclared { declared: Format::Raw, found: Format::Vhdx }));
}

#[test]
fn a_hostile_qcow2_is_refused_with_its_cause() {
    let image = || made("qcow2", "", "1M");
    let malformed = |what| Refusal::Malformed { what };
    let cases = [
        ("backing file", patched(image(), 8, &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9]), Refusal::BackingFile),
        ("backing offset only", patched(image(), 15, &[8]), Refusal::BackingFile),
        ("backing length only", patched(image(), 19, &[8]), Refusal::BackingFile),
        ("external data bit", patched(image(), 79, &[4]), Refusal::ExternalDataFile),
        ("corrupt", patched(image(), 79, &[2]), Refusal::Corrupt),
        ("unknown feature", patched(image(), 72, &[0x80]), Refusal::UnknownFeatures { bits: 1 << 63 }),
        ("version 4", patched(image(), 7, &[4]), Refusal::UnknownVersion { format: Format::Qcow2, version: 4 }),
        ("version 0", patched(image(), 7, &[0]), Refusal::UnknownVersion { format: Format::Qcow2, version: 0 }),
        ("AES", patched(image(), 35, &[1]), Refusal::Encrypted),
        ("LUKS", patched(image(), 35, &[2]), Refusal::Encrypted),
        ("half a sector", patched(image(), 30, &[1]), malformed("its virtual size is not in whole sectors")),
        ("exabytes", patched(image(), 24, &[0x10]), Refusal::TooLarge { size: (1 << 60) + (1 << 20), limit: 64 * TIB }),
        ("clusters of a byte", patched(image(), 23, &[0]), malformed("its cluster size is not between 512 bytes and 2 MiB")),
        ("clusters of 4 GiB", patched(image(), 23, &[32]), malformed("its cluster size is not between 512 bytes and 2 MiB")),
        ("clusters of 2^255", patched(image(), 23, &[255]), malformed("its cluster size is not between 512 bytes and 2 MiB")),
        ("too few L1 entries", patched(image(), 24, &[0, 0, 1]), malformed("its L1 table is too small for its virtual size")),
        ("no L1 entries", patched(image(), 36, &[0; 4]), malformed("its L1 table is too small for its virtual size")),
        ("4 billion L1 entries", patched(image(), 36, &[255; 4]), malformed("its L1 table is larger than 32 MiB")),
        ("L1 beside a cluster", patched(image(), 47, &[1]), malformed("its L1 table is not at a cluster's beginning")),
        ("L1 in the header", patched(image(), 40, &[0; 8]), malformed("its L1 table is where the header is")),
        ("L1 far away", patched(image(), 40, &[0x7f]), malformed("its L1 table lies beyond the end of the file")),
        (
            "L1 at the end of numbers",
            patched(image(), 40, &[255, 255, 255, 255, 255, 255, 0, 0]),
            malformed("its L1 table lies beyond the end of the file"),
        ),
        ("refcounts far away", patched(image(), 48, &[0x7f]), malformed("its refcount table lies beyond the end of the file")),
        ("huge refcount table", patched(image(), 56, &[255; 4]), malformed("its refcount table is missing or larger than 8 MiB")),
        ("wide refcounts", patched(image(), 99, &[7]), malformed("its reference counts are wider than 64 bits")),
        ("short header", patched(image(), 100, &[0, 0, 0, 72]), malformed("its length is not that of a version 3 header")),
        ("endless header", patched(image(), 100, &[255; 4]), malformed("its length is not that of a version 3 header")),
        ("a million snapshots", patched(image(), 60, &[0, 16, 0, 0]), malformed("it has more than 65536 snapshots")),
        ("snapshots far away", patched(image(), 63, &[1, 0x7f]), malformed("its snapshot table lies beyond the end of the file")),
    ];
    for (name, content, refusal) in cases {
        assert_eq!(judge(Format::Qcow2, &content), Err(refusal), "{name}");
    }
}

#[test]
fn what_qemu_itself_makes_dangerous_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let create = |name: &str, arguments: &[&str]| {
        let status = Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).args(arguments).status().unwrap();
        assert!(status.success());
        std::fs::read(path(name)).unwrap()
    };
    std::fs::write(path("base"), vec![0; 1 << 20]).unwrap();
    let backed = create("backed", &["-F", "raw", "-b", &path("base"), &path("backed")]);
    assert_eq!(judge(Format::Qcow2, &backed), Err(Refusal::BackingFile));
    let options = format!("data_file={}", path("data"));
    let external = create("external", &["-o", &options, &path("external"), "1M"]);
    assert_eq!(judge(Format::Qcow2, &external), Err(Refusal::ExternalDataFile));
    // Without its bit QEMU does not look at the name; another reader might.
    assert_eq!(judge(Format::Qcow2, &patched(external, 79, &[0])), Err(Refusal::ExternalDataFile));
    let secret = "secret,id=s,data=x";
    let encryption = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
    let encrypted = create("encrypted", &["--object", secret, "-o", encryption, &path("encrypted"), "1M"]);
    assert_eq!(judge(Format::Qcow2, &encrypted), Err(Refusal::Encrypted));
    assert_eq!(judge(Format::Qcow2, &patched(encrypted, 35, &[0])), Err(Refusal::Encrypted));
}

#[test]
fn an_image_cut_short_is_refused() {
    let image = made("qcow2", "", "1M");
    assert_eq!(judge(Format::Qcow2, &[]), Err(Refusal::Empty));
    assert_eq!(judge(Format::Iso, &[]), Err(Refusal::Empty));
    assert_eq!(Inspector::of_anything(Limits::default()).finish(), Err(Refusal::Empty));
    for length in [4, 71, 72, 103] {
        assert_eq!(judge(Format::Qcow2, &image[..length]), Err(Refusal::Truncated { length: length as u64 }));
    }
    for length in [104, 4096, 65_536, 131_072] {
        assert!(matches!(judge(Format::Qcow2, &image[..length]), Err(Refusal::Malformed { .. })), "{length}");
    }
}

#[test]
fn a_raw_disk_may_have_no_bytes() {
    let nothing = judge(Format::Raw, &[]).unwrap();
    assert_eq!((nothing.length, nothing.virtual_size, nothing.partitions), (0, 0, Partitions::None));
}

#[test]
fn a_refusal_comes_as_early_as_its_bytes() {
    let mut inspector = Inspector::new(Format::Qcow2, Limits::default());
    let backed = patched(made("qcow2", "", "1G"), 15, &[8]);
    assert_eq!(inspector.feed(&backed[..HEAD]), Err(Refusal::BackingFile));

    let limits = Limits { virtual_size: 1 << 20 };
    let mut inspector = Inspector::new(Format::Raw, limits);
    inspector.feed(&[0; 1 << 20]).unwrap();
    assert_eq!(inspector.feed(&[0]), Err(Refusal::TooLarge { size: (1 << 20) + 1, limit: 1 << 20 }));

    let inspector = Inspector::new(Format::Qcow2, limits);
    let mut large = inspector;
    let image = made("qcow2", "", "2M");
    assert_eq!(large.feed(&image), Err(Refusal::TooLarge { size: 2 << 20, limit: 1 << 20 }));
}

#[test]
fn partition_tables_in_plain_sight_are_named() {
    let mbr = patched(vec![0; 2048], 510, &[0x55, 0xaa]);
    let gpt = patched(mbr.clone(), 512, b"EFI PART");
    let found = |image: &[u8]| judge(Format::Raw, image).unwrap().partitions;
    assert_eq!([found(&[0; 2048]), found(&mbr), found(&gpt)], [Partitions::None, Partitions::Mbr, Partitions::Gpt]);
}

/// A small generator (splitmix64), so that a failure can be run again.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Noise must never panic it, nor must what it lets pass surprise QEMU.
#[test]
fn noise_in_a_header_neither_panics_nor_passes_for_more_than_qemu_sees() {
    let images = [made("qcow2", "", "9M"), made("qcow2", "extended_l2=on", "9M"), made("qcow2", "compat=0.10", "9M")];
    let mut noise = Noise(2);
    let (mut passed, mut asked) = (0, 0);
    for round in 0..20_000 {
        let mut image = images[round % 3].clone();
        for _ in 0..=noise.below(3) {
            let interesting = [0, 1, 2, 8, 0x7f, 0x80, 0xff, noise.next() as u8];
            image[noise.below(160)] = interesting[noise.below(interesting.len())];
        }
        image.truncate(if noise.below(10) == 0 { noise.below(image.len()) } else { image.len() });
        let declared = [Format::Qcow2, Format::Raw, Format::Iso][noise.below(10).min(2) * usize::from(round % 7 == 0)];
        let Ok(found) = judge_in_chunks(declared, &image, 1 + noise.below(70_000)) else { continue };
        passed += 1;
        if declared == Format::Qcow2 && round % 50 == 0 {
            asked += 1;
            // QEMU may be stricter about what only it reads; where it agrees to open, it must agree on the size.
            if let Some(size) = qemu_says("qcow2", &image) {
                assert_eq!(found.virtual_size, size.next_multiple_of(512), "round {round}");
            }
        }
    }
    assert!(passed > 1000 && asked > 10, "{passed} {asked}: the noise is too loud to test anything");
    for _ in 0..2000 {
        let length = noise.below(1000);
        let mut bytes: Vec<u8> = (0..length).map(|_| noise.next() as u8).collect();
        if length > 8 {
            bytes[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        }
        let _ = judge_in_chunks(Format::Qcow2, &bytes, 1 + noise.below(100));
    }
}
