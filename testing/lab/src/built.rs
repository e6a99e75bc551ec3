// SPDX-License-Identifier: Apache-2.0
//! What is built before the tests: Ferrostack itself, and the small guest.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// The binary under test: `FERROSTACK_BINARY`, or the one that was built beside this test.
pub fn ferrostack() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FERROSTACK_BINARY") {
        return Ok(path.into());
    }
    let test = env::current_exe()?;
    let beside = test.parent().and_then(Path::parent).context("the test lies in no target folder")?.join("ferrostack");
    ensure!(beside.try_exists()?, "{} is missing: run cargo build --package ferrostack first", beside.display());
    Ok(beside)
}

/// The small guest's image: `FERROSTACK_GUEST_IMAGE`, or the one in the cache, which is built if it is not there yet.
pub fn guest_image() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FERROSTACK_GUEST_IMAGE") {
        return Ok(path.into());
    }
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/ensure-guest-image");
    let built = Command::new(&recipe).arg(cache()?.join("guest")).stderr(Stdio::inherit()).output();
    let built = built.with_context(|| format!("running {}", recipe.display()))?;
    ensure!(built.status.success(), "the guest image could not be built");
    Ok(String::from_utf8(built.stdout)?.trim_end().into())
}

/// Where downloads and the like are kept between runs, outside the checkout.
pub(crate) fn cache() -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    Ok(cache.join("ferrostack"))
}
