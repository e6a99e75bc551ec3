// SPDX-License-Identifier: Apache-2.0
//! The configuration drive: a small ISO image labelled `config-2` that a guest reads instead of asking the network.
//!
//! The same files always make the same image, byte for byte.

mod iso;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::error::{Doing, Error};
use crate::{Result, durable};

/// The label that cloud-init and its like look for.
pub const LABEL: &str = "config-2";

/// The longest name that Joliet, which Windows reads, can hold.
const LONGEST_NAME: usize = 64;
/// User data is at most 64 KiB, so whatever is larger is a mistake.
const LARGEST: usize = 64 << 20;

/// Files by path, such as `openstack/latest/meta_data.json`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Writes the image, durably, readable by its owner only: there may be a password in it.
pub fn create(path: &Path, files: &Files) -> Result<()> {
    let image = image(files)?;
    durable::write(path, 0o600, |file| file.write_all(&image).doing(|| format!("write {}", path.display())))
}

/// The image in memory.
pub fn image(files: &Files) -> Result<Vec<u8>> {
    for path in files.keys() {
        if !path.split('/').all(is_plain_name) {
            return Err(Error::Unusable(format!("{path:?} cannot be a path on a configuration drive")));
        }
    }
    let size: usize = files.values().map(Vec::len).sum();
    if size > LARGEST {
        return Err(Error::Unusable(format!("{size} bytes are too many for a configuration drive")));
    }
    let tree = tree::Tree::of(files)?;
    Ok(iso::write(&tree, LABEL))
}

fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain) && name != "." && name != ".."
}
