// SPDX-License-Identifier: Apache-2.0
//! The menus in a real browser: a cloud on a host of its own, for the programs in `services/dashboard/web/tests`, which drive
//! Chromium there by what a person sees: roles and names.
//!
//! Their packages are brought in by `./test menus`, of the versions in the lockfile and by npm's own settings.

mod cloud;

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

pub use cloud::Cloud;

/// The sources of the application, and its tests.
fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services/dashboard/web")
}

/// Where npm has laid the packages: `FERROSTACK_MENUS_MODULES`, or beside the sources.
fn modules() -> Result<PathBuf> {
    let modules = env::var_os("FERROSTACK_MENUS_MODULES").map_or_else(|| web().join("node_modules"), PathBuf::from);
    let is_there = modules.join("playwright-core").try_exists()?;
    ensure!(is_there, "{} has no playwright-core: run ./test menus, which brings it in", modules.display());
    Ok(modules)
}

/// Runs the browser's tests against this cloud; what one of them says when it fails is in the output.
pub fn run(cloud: &Cloud) -> Result<()> {
    // Beside the packages, so that both are found wherever those are kept.
    let folder = tempfile::tempdir()?;
    let tests = folder.path().join("tests");
    fs::create_dir(&tests)?;
    std::os::unix::fs::symlink(modules()?, folder.path().join("node_modules"))?;
    let mut programs = Vec::new();
    for entry in fs::read_dir(web().join("tests")).context("the menus have tests")? {
        let entry = entry?;
        let copy = tests.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        if copy.to_string_lossy().ends_with(".test.mjs") {
            programs.push(copy);
        }
    }
    ensure!(!programs.is_empty(), "the menus have no tests");
    programs.sort();
    // One after another: they are tenants of one cloud, and a browser is large.
    let mut words = vec![OsStr::new("node"), OsStr::new("--test"), OsStr::new("--test-concurrency=1")];
    words.extend(programs.iter().map(|program| program.as_os_str()));
    let status = cloud.command(&words)?.current_dir(folder.path()).status().context("run node (package nodejs)")?;
    ensure!(status.success(), "the browser's tests failed: see above");
    Ok(())
}
