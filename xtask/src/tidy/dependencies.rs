// SPDX-License-Identifier: Apache-2.0
//! Who may lean on whom, read from `cargo metadata`.

use std::{path::Path, process::Command};

use anyhow::Context;
use serde::Deserialize;

/// A drawer of the house and the workspace crates (or whole drawers, with a slash) its crates may depend on.
const MAY_LEAN_ON: &[(&str, &[&str])] = &[
    ("foundation/types", &[]),
    ("foundation/contracts", &["types"]),
    ("foundation/store", &["types"]),
    ("foundation/bounds", &[]),
    ("foundation/work", &["types"]),
    ("foundation/words", &[]),
    ("foundation/access", &["types", "contracts"]),
    ("foundation/api", &["types", "contracts", "access", "store", "bounds", "words"]),
    ("adapters/s3", &["types", "contracts", "web"]),
    ("adapters/segments", &["types", "contracts", "s3", "web"]),
    ("adapters/", &["types", "contracts"]),
    ("services/image", &["foundation/", "disks", "s3", "web"]),
    ("services/identity", &["foundation/", "web", "evidence"]),
    ("services/identity/evidence", &["types", "bounds", "web"]),
    ("services/network", &["foundation/", "ovn"]),
    ("services/", &["foundation/"]),
    ("node", &["types", "contracts", "bounds", "work", "adapters/"]),
    ("ferrostack", &["foundation/", "services/", "adapters/", "node"]),
    ("testing/", &["foundation/", "services/", "adapters/", "node", "ferrostack", "testing/"]),
    ("xtask", &[]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

pub fn check(top: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(top)
        .output()
        .context("run cargo metadata")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let Some(place) = place(top, &package.manifest_path) else { continue };
        let Some(allowed) = rule(&place) else {
            complaints.push(format!("{place} stands in no drawer that the dependency table knows"));
            continue;
        };
        for dependency in &package.dependencies {
            // Tests may lean on anything that is below them; development dependencies do not ship.
            let Some(path) = dependency.path.as_deref().filter(|_| dependency.kind.is_none()) else { continue };
            let target = place_of_folder(top, path).unwrap_or_default();
            let fits = allowed.iter().any(|rule| *rule == dependency.name || (rule.ends_with('/') && target.starts_with(rule)));
            if !fits {
                complaints.push(format!("{} ({place}) must not depend on {} ({target})", package.name, dependency.name));
            }
        }
    }
    Ok(complaints)
}

fn rule(place: &str) -> Option<&'static [&'static str]> {
    MAY_LEAN_ON
        .iter()
        .find(|(drawer, _)| *drawer == place || (drawer.ends_with('/') && place.starts_with(drawer)))
        .map(|(_, to)| *to)
}

fn place(top: &Path, manifest: &str) -> Option<String> {
    place_of_folder(top, manifest.strip_suffix("/Cargo.toml")?)
}

fn place_of_folder(top: &Path, folder: &str) -> Option<String> {
    Some(Path::new(folder).strip_prefix(top).ok()?.to_string_lossy().into_owned())
}
