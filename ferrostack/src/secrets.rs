// SPDX-License-Identifier: Apache-2.0
//! Passwords that were made once for this cloud, in files that only root reads.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, anyhow};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use types::Secret;

use crate::home::Home;

pub const ADMIN: &str = "admin-password";
pub const DEMO: &str = "demo-password";
/// With which the agent of this host joins, once.
pub const JOIN: &str = "join-token";

/// Reads the secret, making it first if it is not there.
pub fn ensure(home: &Home, name: &str) -> anyhow::Result<Secret<String>> {
    match read(home, name) {
        Ok(secret) => Ok(secret),
        Err(_) if !home.secret(name).exists() => {
            let mut bytes = [0; 18];
            getrandom::fill(&mut bytes).map_err(|error| anyhow!("draw random bytes: {error}"))?;
            let text = URL_SAFE_NO_PAD.encode(bytes);
            write(&home.secret(name), &text)?;
            Ok(Secret::new(text))
        }
        Err(error) => Err(error),
    }
}

/// Writes a file that only root reads, whole or not at all.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path).with_context(|| format!("write {}", path.display()))
}

pub fn read(home: &Home, name: &str) -> anyhow::Result<Secret<String>> {
    let path = home.secret(name);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}; has `ferrostack up` run here?", path.display()))?;
    Ok(Secret::new(text.trim().to_owned()))
}
