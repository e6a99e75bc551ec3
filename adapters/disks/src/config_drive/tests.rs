// SPDX-License-Identifier: Apache-2.0
//! The image is read back by a reader that was written from the standards and shares nothing with the writer.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

use super::*;

fn le32(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

/// A number in both byte orders, which must agree.
fn both32(bytes: &[u8]) -> usize {
    assert_eq!(bytes[..4].iter().rev().copied().collect::<Vec<_>>(), bytes[4..8]);
    le32(bytes)
}

/// Reads all files below a directory record, naming them as Rock Ridge or Joliet says.
fn walk(image: &[u8], record: &[u8], prefix: &str, joliet: bool, found: &mut Files) {
    let (extent, size) = (both32(&record[2..]), both32(&record[10..]));
    let content = &image[extent * 2048..][..size];
    if record[25] & 2 == 0 {
        found.insert(prefix.to_owned(), content.to_vec());
        return;
    }
    let mut at = 0;
    let mut seen = 0;
    while at < content.len() {
        let length = content[at] as usize;
        if length == 0 {
            at = (at / 2048 + 1) * 2048;
            continue;
        }
        assert!(at % 2048 + length <= 2048, "a record crosses a sector");
        let child = &content[at..at + length];
        at += length;
        seen += 1;
        let id_length = child[32] as usize;
        let id = &child[33..33 + id_length];
        if seen <= 2 {
            assert_eq!(id, [seen as u8 - 1]);
            continue;
        }
        let name = if joliet {
            String::from_utf16(&id.chunks(2).map(|it| u16::from_be_bytes([it[0], it[1]])).collect::<Vec<_>>()).unwrap()
        } else {
            rock_ridge_name(&child[(33 + id_length).next_multiple_of(2)..], child[25] & 2 != 0)
        };
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        walk(image, child, &path, joliet, found);
    }
    assert!(seen >= 2, "a directory has itself and its parent");
}

fn rock_ridge_name(mut system_use: &[u8], directory: bool) -> String {
    let mut name = None;
    let mut mode = None;
    while system_use.len() >= 4 {
        let entry = &system_use[..system_use[2] as usize];
        match &entry[..2] {
            b"NM" => name = Some(String::from_utf8(entry[5..].to_vec()).unwrap()),
            b"PX" => mode = Some(both32(&entry[4..])),
            other => panic!("{other:?}"),
        }
        system_use = &system_use[entry.len()..];
    }
    assert_eq!(mode.unwrap() & 0o170_000, if directory { 0o040_000 } else { 0o100_000 });
    name.unwrap()
}

fn read_back(image: &[u8]) -> [Files; 2] {
    assert_eq!(image.len(), both32(&image[16 * 2048 + 80..]) * 2048);
    assert_eq!(&image[18 * 2048..][..7], b"\xffCD001\x01");
    let root = &image[16 * 2048 + 156..];
    let dot = &image[le32(&root[2..]) * 2048..];
    assert_eq!(&dot[34..41], b"SP\x07\x01\xbe\xef\0", "Rock Ridge must announce itself");
    [(16, 1, false), (17, 2, true)].map(|(sector, kind, joliet)| {
        let descriptor = &image[sector * 2048..][..2048];
        assert_eq!((descriptor[0], &descriptor[1..7]), (kind, &b"CD001\x01"[..]));
        check_path_tables(image, descriptor);
        let mut found = Files::new();
        walk(image, &descriptor[156..190], "", joliet, &mut found);
        found
    })
}

/// Every entry of a path table points at a directory whose own record points at itself.
fn check_path_tables(image: &[u8], descriptor: &[u8]) {
    let size = both32(&descriptor[132..]);
    let little = &image[le32(&descriptor[140..]) * 2048..][..size];
    let big = &image[u32::from_be_bytes(descriptor[148..152].try_into().unwrap()) as usize * 2048..][..size];
    let (mut at, mut count) = (0, 0);
    while at < size {
        let extent = le32(&little[at + 2..]);
        assert_eq!(extent, u32::from_be_bytes(big[at + 2..at + 6].try_into().unwrap()) as usize);
        assert_eq!(both32(&image[extent * 2048 + 2..]), extent);
        count += 1;
        assert!(u16::from_le_bytes([little[at + 6], little[at + 7]]) <= count, "a parent comes before its children");
        at += (8 + little[at] as usize).next_multiple_of(2);
    }
    assert_eq!(at, size);
}

fn sample() -> Files {
    let mut files = Files::new();
    files.insert("openstack/latest/meta_data.json".into(), br#"{"uuid": "1"}"#.to_vec());
    files.insert("openstack/latest/user_data".into(), vec![7; 65_535]);
    files.insert("openstack/latest/vendor_data2.json".into(), b"{}".to_vec());
    files.insert("openstack/latest/network_data.json".into(), vec![]);
    files.insert("openstack/2018-08-27/meta_data.json".into(), vec![1; 2048]);
    files.insert("openstack/content/0000".into(), vec![2; 2049]);
    files.insert("ec2/latest/meta-data.json".into(), b"{}".to_vec());
    files.insert("ec2/2009-04-04/user-data".into(), b"#!/bin/sh\n".to_vec());
    files
}

#[test]
fn files_read_back_with_their_names_by_rock_ridge_and_by_joliet() {
    let files = sample();
    for found in read_back(&image(&files).unwrap()) {
        assert!(found == files, "{:?}", found.keys());
    }
}

#[test]
fn a_directory_of_many_sectors_reads_back() {
    let long = "n".repeat(LONGEST_NAME - 4);
    let files: Files = (0..200u8).map(|n| (format!("content/{n:03}-{long}"), vec![n; 10])).collect();
    for found in read_back(&image(&files).unwrap()) {
        assert!(found == files);
    }
}

#[test]
fn an_image_of_nothing_is_an_image() {
    assert_eq!(read_back(&image(&Files::new()).unwrap()), [Files::new(), Files::new()]);
}

#[test]
fn the_same_files_make_the_same_image() {
    assert!(image(&sample()).unwrap() == image(&sample()).unwrap());
}

#[test]
fn blkid_sees_the_label_and_only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.iso");
    create(&path, &sample()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let output = Command::new("blkid").args(["-p", "-o", "export"]).arg(&path).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("LABEL=config-2\n") && said.contains("TYPE=iso9660"), "{said}");
}

#[test]
fn paths_that_cannot_be_are_refused() {
    for path in ["", "/a", "a/", "a//b", "../a", "a/./b", "a b", "ä", &"n".repeat(65)] {
        assert!(image(&Files::from([(path.to_owned(), vec![])])).is_err(), "{path:?}");
    }
    let clash = Files::from([("a".to_owned(), vec![]), ("a/b".to_owned(), vec![])]);
    assert!(image(&clash).is_err());
}
