// SPDX-License-Identifier: Apache-2.0
//! Which images are well known, where they are, and what they must hash to.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;

const OURS: &str = include_str!("catalogue.toml");

pub type Catalogue = BTreeMap<String, Entry>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub title: String,
    pub url: String,
    /// The list of checksums that the image's maker publishes.
    pub checksums: Option<String>,
    pub sha256: Option<String>,
    /// As the image API names it.
    #[serde(default = "qcow2")]
    pub disk_format: String,
    pub distro: String,
    pub version: String,
    /// Who to log in as.
    pub user: String,
}

/// What the image's bytes must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    Sha256(String),
    Sha512(String),
}

fn qcow2() -> String {
    "qcow2".into()
}

/// The operator's own catalogue, if given, in the place of ours.
pub fn read(own: Option<&Path>) -> anyhow::Result<Catalogue> {
    let text = match own {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?,
        None => OURS.to_owned(),
    };
    let place = || own.map_or_else(|| "the catalogue".into(), |path| path.display().to_string());
    let catalogue: Catalogue = toml::from_str(&text).with_context(|| format!("understand {}", place()))?;
    for (name, entry) in &catalogue {
        if entry.checksums.is_some() == entry.sha256.is_some() {
            bail!("{}: {name} needs one of checksums and sha256", place());
        }
    }
    Ok(catalogue)
}

impl Entry {
    /// The last part of the URL, as lists of checksums name the file.
    pub fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }
}

impl Checksum {
    /// By its length: 64 or 128 hex digits.
    pub fn parse(digits: &str) -> Option<Self> {
        let digits = digits.to_ascii_lowercase();
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        match digits.len() {
            64 => Some(Self::Sha256(digits)),
            128 => Some(Self::Sha512(digits)),
            _ => None,
        }
    }

    /// The checksum of `file` in a list of lines `HASH  file` or `SHA256 (file) = HASH`; the stronger if there are two.
    pub fn in_list(list: &str, file: &str) -> Option<Self> {
        let found = list.lines().filter_map(|line| {
            let (digits, name) = match line.split_once(") = ") {
                Some((before, digits)) => (digits, before.split_once(" (")?.1),
                None => line
                    .split_once(char::is_whitespace)
                    .map(|(digits, name)| (digits, name.trim_start().trim_start_matches('*')))?,
            };
            (name.trim() == file).then(|| Self::parse(digits.trim())).flatten()
        });
        found.max_by_key(|checksum| checksum.digits().len())
    }

    pub fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Sha512(digits) => digits,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn our_catalogue_is_well_formed() {
        let ours = read(None).unwrap();
        assert!(ours.len() >= 10 && ours.contains_key("debian-12") && ours.contains_key("ubuntu-24.04"));
        for (name, entry) in ours {
            assert!(entry.url.starts_with("https://"), "{name}");
            assert!(entry.checksums.iter().all(|list| list.starts_with("https://")), "{name}");
            assert!(entry.sha256.iter().all(|digits| Checksum::parse(digits).is_some()), "{name}");
            assert!(entry.file_name().ends_with(".qcow2") || entry.file_name().ends_with(".img"), "{name}");
        }
    }

    #[test]
    fn checksums_are_found_in_the_lists_that_makers_publish() {
        let (a, b) = ("a".repeat(64), "B".repeat(128));
        let list = format!("{a}  other.qcow2\n{a} *image.qcow2\n# comment\nSHA512 (image.qcow2) = {b}\n{a}\n(x) = y\n");
        assert_eq!(Checksum::in_list(&list, "other.qcow2"), Some(Checksum::Sha256(a)));
        assert_eq!(Checksum::in_list(&list, "image.qcow2"), Some(Checksum::Sha512(b.to_lowercase())));
        assert_eq!(Checksum::in_list(&list, "mage.qcow2"), None);
        assert_eq!(Checksum::in_list("abc  image.qcow2", "image.qcow2"), None);
    }

    #[test]
    fn a_catalogue_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        let entry = "title = \"x\"\nurl = \"u\"\ndistro = \"d\"\nversion = \"1\"\nuser = \"u\"\n";
        std::fs::write(&path, format!("[x]\n{entry}")).unwrap();
        assert!(read(Some(&path)).unwrap_err().to_string().contains("x needs one of checksums and sha256"));
        std::fs::write(&path, format!("[x]\n{entry}color = \"red\"\n")).unwrap();
        assert!(format!("{:#}", read(Some(&path)).unwrap_err()).contains("unknown field `color`"));
    }
}
