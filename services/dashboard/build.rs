// SPDX-License-Identifier: Apache-2.0
//! Puts the built application into the binary: each file as it is and, where that is smaller, compressed, with its digest.
#![allow(clippy::unwrap_used)]

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

fn main() {
    let (root, out) = (PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap()), PathBuf::from(env::var("OUT_DIR").unwrap()));
    let dist = root.join("dist");
    println!("cargo::rerun-if-changed=dist");
    let mut table = String::from("&[\n");
    for (number, path) in files(&dist).into_iter().enumerate() {
        let bytes = fs::read(&path).unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes).unwrap();
        let small = encoder.finish().unwrap();
        let gzip = if small.len() < bytes.len() {
            let kept = out.join(format!("{number}.gz"));
            fs::write(&kept, small).unwrap();
            format!("Some(include_bytes!({kept:?}))")
        } else {
            "None".to_owned()
        };
        let (name, tag) = (path.strip_prefix(&dist).unwrap(), hex::encode(&Sha256::digest(&bytes)[..12]));
        writeln!(table, "    File {{ path: {name:?}, bytes: include_bytes!({path:?}), gzip: {gzip}, tag: {tag:?} }},").unwrap();
    }
    table.push(']');
    fs::write(out.join("files.rs"), table).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}
