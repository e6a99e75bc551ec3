// SPDX-License-Identifier: Apache-2.0
//! The stock clients, from PyPI, in an environment that is kept between runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::built::cache;

const CLIENTS: &str = include_str!("../requirements.txt");
const OBJECT_STORE: &str = include_str!("../requirements-s3.txt");
const SWIFT: &str = include_str!("../requirements-swift.txt");
/// Its presence says that the environment is whole.
const WHOLE: &str = "whole";

pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// With the stock clients.
    pub fn ensure() -> Result<Self> {
        Self::with(CLIENTS)
    }

    /// With boto3 and an S3 service, whose requirements do not go together with those of the clients.
    pub fn with_object_store() -> Result<Self> {
        Self::with(OBJECT_STORE)
    }

    /// With Swift's own client.
    pub fn with_swift() -> Result<Self> {
        Self::with(SWIFT)
    }

    /// Makes the environment unless it is there; tests that run at the same time wait for the one that makes it.
    fn with(requirements: &str) -> Result<Self> {
        let digest = hex(&Sha256::digest(requirements)[..6]);
        let folder = cache()?.join(format!("venv-{digest}"));
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock().context("locking the Python environment")?;
        if !folder.join(WHOLE).try_exists()? {
            install(&folder, requirements)?;
        }
        Ok(Self { folder })
    }

    /// The path of a program of the environment, such as `openstack`, to run in a host.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("environment/bin").join(name)
    }
}

fn install(folder: &Path, requirements: &str) -> Result<()> {
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements)?;
    step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("environment")))?;
    step(
        Command::new(folder.join("environment/bin/pip")).args(["install", "--quiet", "--no-input", "--requirement"]).arg(&list),
    )?;
    fs::write(folder.join(WHOLE), "")?;
    Ok(())
}

fn step(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("running {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
