// SPDX-License-Identifier: Apache-2.0
//! Formats of other makers: what their headers may not say.

use super::*;

const VHD_FOOTER: usize = 512;
/// Where the metadata region is in a VHDX by QEMU, and its items in that.
const VHDX_METADATA: usize = 3 << 20;
const VHDX_ITEMS: usize = VHDX_METADATA + (64 << 10);

fn malformed(what: &'static str) -> Refusal {
    Refusal::Malformed { what }
}

fn vmdk() -> Vec<u8> {
    made("vmdk", "subformat=monolithicSparse", "1M")
}

/// One whose header is at the end, as writers make it that cannot go back.
fn vmdk_with_trailer() -> Vec<u8> {
    let mut image = made("vmdk", "subformat=streamOptimized", "1M");
    let header = image[..512].to_vec();
    image[56..64].copy_from_slice(&[0xff; 8]);
    let mut marker = vec![0; 512];
    marker[12] = 3;
    for part in [marker, header, vec![0; 512]] {
        image.extend(part);
    }
    image
}

/// With some of the descriptor's text replaced by as much other text.
fn described(image: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert!(to.len() <= from.len(), "the descriptor has no more room");
    let at = image.windows(from.len()).position(|text| text == from.as_bytes()).unwrap();
    patched(image, at, format!("{to:width$}", width = from.len()).as_bytes())
}

fn vhd(subformat: &str) -> Vec<u8> {
    made("vpc", &format!("subformat={subformat}"), "1M")
}

fn vhdx() -> Vec<u8> {
    made("vhdx", "", "8M")
}

/// Both region tables changed alike.
fn vhdx_regions(at: usize, bytes: &[u8]) -> Vec<u8> {
    patched(patched(vhdx(), (192 << 10) + at, bytes), (256 << 10) + at, bytes)
}

#[test]
fn a_hostile_vmdk_is_refused_with_its_cause() {
    let kind = "createType=\"monolithicSparse\"";
    let hint = "ddb.adapterType = \"ide\"";
    let extent = "RW 2048 SPARSE";
    let text = b"# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"/etc/shadow\" 0\n";
    let cases = [
        ("a descriptor alone", text.to_vec(), Refusal::ExternalDataFile),
        ("an ESX extent", patched(vmdk(), 0, b"COWD"), Refusal::NotAccepted { format: Format::Vmdk }),
        ("no capacity: QEMU follows the descriptor", patched(vmdk(), 12, &[0; 8]), Refusal::ExternalDataFile),
        ("flat", described(vmdk(), kind, "createType=\"monolithicFlat\""), Refusal::ExternalDataFile),
        ("split", described(vmdk(), kind, "createType=\"twoGbMaxExtent\""), Refusal::ExternalDataFile),
        ("a device", described(vmdk(), kind, "createType=\"fullDevice\""), Refusal::ExternalDataFile),
        ("no kind", described(vmdk(), kind, ""), malformed("its descriptor says no createType")),
        ("a parent", described(vmdk(), "parentCID=ffffffff", "parentCID=12345678"), Refusal::BackingFile),
        ("a parent's name", described(vmdk(), hint, "PARENTfilenameHint=/x"), Refusal::BackingFile),
        ("a flat extent", described(vmdk(), extent, "RW 2048 FLAT"), Refusal::ExternalDataFile),
        ("no extent", described(vmdk(), extent, "SPARSE"), malformed("its descriptor names no extent")),
        ("two extents", described(vmdk(), hint, "\nRW 1 FLAT \"/x\" 0"), Refusal::ExternalDataFile),
        ("a descriptor elsewhere", patched(vmdk(), 28, &[2]), malformed("its descriptor is not right after its header")),
        ("a descriptor nowhere", patched(vmdk(), 28, &[0]), malformed("its descriptor is not right after its header")),
        ("an endless descriptor", patched(vmdk(), 36, &[0xff; 8]), malformed("its descriptor is too long")),
        ("version 4", patched(vmdk(), 4, &[4]), Refusal::UnknownVersion { format: Format::Vmdk, version: 4 }),
        ("exabytes", patched(vmdk(), 18, &[0x10]), Refusal::TooLarge { size: (1 << 61) + (1 << 20), limit: 64 * TIB }),
        ("beyond all numbers", patched(vmdk(), 12, &[0xff; 8]), Refusal::TooLarge { size: u64::MAX, limit: 64 * TIB }),
        ("no grains", patched(vmdk(), 20, &[0; 8]), malformed("its grains are of no size, or larger than 1 GiB")),
        ("no tables", patched(vmdk(), 44, &[0; 4]), malformed("its grain tables have no entries, or more than 512")),
        ("a directory far away", patched(vmdk(), 62, &[1]), malformed("its grain directory lies beyond the end of the file")),
        ("no footer", patched(vmdk(), 56, &[0xff; 8]), malformed("its footer is missing")),
    ];
    for (name, content, refusal) in cases {
        assert_eq!(judge(Format::Vmdk, &content), Err(refusal), "{name}");
    }
}

#[test]
fn the_two_headers_of_a_stream_optimised_vmdk_agree() {
    let sound = vmdk_with_trailer();
    let found = judge(Format::Vmdk, &sound).unwrap();
    assert_eq!((found.virtual_size, qemu_says("vmdk", &sound)), (1 << 20, Some(1 << 20)));
    let footer = sound.len() - 1024;
    let contradiction = malformed("its footer contradicts its header");
    for (at, bytes) in [(4, [2]), (8, [0]), (12, [1]), (13, [0xff]), (20, [1]), (28, [9]), (44, [1])] {
        assert_eq!(judge(Format::Vmdk, &patched(sound.clone(), footer + at, &bytes)), Err(contradiction.clone()), "{at}");
    }
    assert_eq!(judge(Format::Vmdk, &patched(sound.clone(), footer + 56, &[0xff; 8])), Err(contradiction));
    let elsewhere = malformed("its grain directory lies beyond the end of the file");
    assert_eq!(judge(Format::Vmdk, &patched(sound.clone(), footer + 60, &[1])), Err(elsewhere));
    let missing = malformed("its footer is missing");
    assert_eq!(judge(Format::Vmdk, &sound[..sound.len() - 512]), Err(missing));
}

#[test]
fn a_hostile_vhd_is_refused_with_its_cause() {
    let dynamic = || vhd("dynamic");
    let end = vhd("fixed").len() - VHD_FOOTER;
    let cases = [
        ("a difference", patched(dynamic(), 63, &[4]), Refusal::BackingFile),
        ("a parent's id", patched(dynamic(), 512 + 40, &[1]), Refusal::BackingFile),
        ("a parent's place", patched(dynamic(), 512 + 576, b"W2ku"), Refusal::BackingFile),
        ("a kind of its own", patched(dynamic(), 63, &[9]), malformed("it begins with a footer, but is not dynamic")),
        ("a header far away", patched(dynamic(), 16, &[1]), malformed("its dynamic header is not near its beginning")),
        ("odd blocks", patched(dynamic(), 512 + 32, &[0, 0, 3, 0]), malformed("its block size is not a power of two of sectors")),
        ("no blocks", patched(dynamic(), 512 + 28, &[0; 4]), malformed("its block table is too small for its virtual size")),
        ("a table far away", patched(dynamic(), 512 + 16, &[1]), malformed("its block table lies beyond the end of the file")),
        ("a fixed difference", patched(vhd("fixed"), end + 63, &[4]), Refusal::BackingFile),
        ("a longer disk than file", patched(vhd("fixed"), end + 56, &[0x10]), malformed("it is shorter than its footer says")),
    ];
    for (name, content, refusal) in cases {
        assert_eq!(judge(Format::Vhd, &content), Err(refusal), "{name}");
    }
    let huge = patched(patched(dynamic(), 28, b"win "), 48, &[0x10]);
    assert!(matches!(judge(Format::Vhd, &huge), Err(Refusal::TooLarge { .. })));
    // A disk that begins like another format is that format to whoever guesses.
    let polyglot = patched(vhd("fixed"), 0, &made("qcow2", "", "1M")[..512]);
    assert_eq!(judge(Format::Vhd, &polyglot), Err(Refusal::NotAsDeclared { declared: Format::Vhd, found: Format::Qcow2 }));
}

#[test]
fn a_hostile_vdi_is_refused_with_its_cause() {
    let vdi = || made("vdi", "", "3M");
    let small = "its block map is too small for its virtual size";
    let cases = [
        ("version 2", patched(vdi(), 0x46, &[2]), Refusal::UnknownVersion { format: Format::Vdi, version: 0x0002_0001 }),
        ("a difference", patched(vdi(), 0x4c, &[4]), Refusal::BackingFile),
        ("a link", patched(vdi(), 0x1a8, &[1]), Refusal::BackingFile),
        ("a parent", patched(vdi(), 0x1c7, &[1]), Refusal::BackingFile),
        ("a kind of its own", patched(vdi(), 0x4c, &[7]), malformed("it is of a kind that is not known")),
        ("exabytes", patched(vdi(), 0x177, &[0x10]), Refusal::TooLarge { size: (1 << 60) + (3 << 20), limit: 64 * TIB }),
        ("more than its map", patched(vdi(), 0x173, &[1]), malformed(small)),
        ("no map", patched(vdi(), 0x180, &[0; 4]), malformed(small)),
        ("a map far away", patched(vdi(), 0x157, &[0x7f]), malformed("its block map lies beyond the end of the file")),
        (
            "a map beside a sector",
            patched(vdi(), 0x154, &[1]),
            malformed("its block map or its data is not at a sector's beginning"),
        ),
        ("odd blocks", patched(vdi(), 0x178, &[1]), malformed("its sectors are not of 512 bytes, or its blocks not of 1 MiB")),
    ];
    for (name, content, refusal) in cases {
        assert_eq!(judge(Format::Vdi, &content), Err(refusal), "{name}");
    }
}

#[test]
fn a_hostile_vhdx_is_refused_with_its_cause() {
    let table_entries = 8;
    let no_parameters = malformed("its metadata lacks the file parameters");
    // The first item of QEMU's is the file parameters: block size, then flags.
    let cases = [
        ("a parent", patched(vhdx(), VHDX_ITEMS + 4, &[2]), Refusal::BackingFile),
        ("a log to replay", patched(patched(vhdx(), (64 << 10) + 48, &[1]), (128 << 10) + 48, &[1]), Refusal::NotClosed),
        ("no headers", patched(patched(vhdx(), 64 << 10, &[0]), 128 << 10, &[0]), malformed("it has no header")),
        ("two truths", patched(vhdx(), (256 << 10) + 40, &[9]), malformed("its two region tables differ")),
        ("no regions", vhdx_regions(table_entries, &[0]), malformed("a region that it must have is missing")),
        ("a million regions", vhdx_regions(table_entries, &[0, 0, 16]), malformed("its region table has more than 2047 entries")),
        ("no items", patched(vhdx(), VHDX_METADATA + 10, &[0]), no_parameters.clone()),
        ("all the items", patched(vhdx(), VHDX_METADATA + 10, &[0xff; 2]), malformed("its metadata has more than 2047 items")),
        ("an item far away", patched(vhdx(), VHDX_METADATA + 32 + 16, &[0xff; 4]), no_parameters),
        ("metadata gone", patched(vhdx(), VHDX_METADATA, &[0]), malformed("its metadata lies beyond the end of the file")),
    ];
    for (name, content, refusal) in cases {
        assert_eq!(judge(Format::Vhdx, &content), Err(refusal), "{name}");
    }
    let twice = malformed("it has the same region twice");
    let region = vhdx()[(192 << 10) + 16..(192 << 10) + 48].to_vec();
    let missing = malformed("a region that it must have is missing");
    assert!([Err(twice), Err(missing)].contains(&judge(Format::Vhdx, &vhdx_regions(48, &region))));
    assert_eq!(judge(Format::Vhdx, &vhdx()[..1000]), Err(Refusal::Truncated { length: 1000 }));
}

/// Noise must never panic it. What it lets pass, QEMU opens as no more than that, or not at all.
#[test]
fn noise_in_foreign_headers_neither_panics_nor_passes_for_more_than_qemu_sees() {
    // Of each its headers' beginnings, where the noise goes.
    let images = [
        (Format::Vmdk, "vmdk", vmdk(), vec![0, 512]),
        (Format::Vmdk, "vmdk", vmdk_with_trailer(), vec![0, 512]),
        (Format::Vhd, "vpc", vhd("dynamic"), vec![0, 512]),
        (Format::Vhd, "vpc", vhd("fixed"), vec![vhd("fixed").len() - VHD_FOOTER]),
        (Format::Vhdx, "vhdx", vhdx(), vec![64 << 10, 128 << 10, 192 << 10, VHDX_METADATA, VHDX_ITEMS]),
        (Format::Vdi, "vdi", made("vdi", "", "3M"), vec![0x40, 0x150]),
    ];
    let mut noise = Noise(5);
    let (mut passed, mut agreed) = (0, 0);
    for round in 0..6000 {
        let (format, driver, image, headers) = &images[round % images.len()];
        let mut image = image.clone();
        for _ in 0..=noise.below(3) {
            let at = headers[noise.below(headers.len())] + noise.below(120);
            let interesting = [0, 1, 2, 4, 8, 0x7f, 0x80, 0xff, noise.next() as u8];
            image[at] = interesting[noise.below(interesting.len())];
        }
        if noise.below(10) == 0 {
            image.truncate(noise.below(image.len()));
        }
        let Ok(found) = judge_in_chunks(*format, &image, 1 + noise.below(700_000)) else { continue };
        passed += 1;
        if passed % 15 == 0
            && let Some(size) = qemu_says(driver, &image)
        {
            agreed += 1;
            assert_eq!(found.virtual_size, size.next_multiple_of(512), "round {round}, {format}");
        }
    }
    assert!(passed > 300 && agreed > 10, "{passed} {agreed}: the noise is too loud to test anything");
}
