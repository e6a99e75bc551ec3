// SPDX-License-Identifier: Apache-2.0
//! The rules of the house that a machine can check. ARCHITECTURE.md states them; this keeps them.

mod circles;
mod dependencies;
mod drawers;
mod files;
mod invariants;

use std::path::PathBuf;

use anyhow::{Context, bail};

pub fn run() -> anyhow::Result<()> {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().context("find the top folder")?.to_owned();
    let mut complaints = dependencies::check(&top)?;
    let sources = files::read(&top)?;
    complaints.extend(files::check(&sources));
    complaints.extend(drawers::check(&sources));
    complaints.extend(circles::check(&sources));
    complaints.extend(invariants::check(&top, &sources)?);
    if complaints.is_empty() {
        println!("tidy: {} files, nothing to complain about", sources.len());
        return Ok(());
    }
    for complaint in &complaints {
        println!("tidy: {complaint}");
    }
    bail!("{} complaints", complaints.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() -> anyhow::Result<()> {
        super::run()
    }
}
