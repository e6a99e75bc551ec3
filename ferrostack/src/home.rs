// SPDX-License-Identifier: Apache-2.0
//! Where things lie. `FERROSTACK_HOME=dir` moves state and configuration together, so that several clouds run side by side.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

#[derive(Debug, Clone)]
pub struct Home {
    pub state: PathBuf,
    pub configuration: PathBuf,
}

impl Home {
    pub fn find() -> Self {
        match std::env::var_os("FERROSTACK_HOME").filter(|home| !home.is_empty()) {
            None => Self { state: "/var/lib/ferrostack".into(), configuration: "/etc/ferrostack/ferrostack.toml".into() },
            Some(home) => Self::at(home.into()),
        }
    }

    /// The cloud whose state lies there.
    pub fn at(state: PathBuf) -> Self {
        let state = std::path::absolute(&state).unwrap_or(state);
        let default = Self { state: "/var/lib/ferrostack".into(), configuration: "/etc/ferrostack/ferrostack.toml".into() };
        if state == default.state { default } else { Self { configuration: state.join("ferrostack.toml"), state } }
    }

    /// True for the one cloud that a host has by default; a cloud beside it must not claim names that exist once a host.
    pub fn is_default(&self) -> bool {
        self.state == Path::new("/var/lib/ferrostack")
    }

    /// Four hex digits that tell this cloud's devices from those of a cloud beside it.
    pub fn tag(&self) -> String {
        hex::encode(&Sha256::digest(self.state.as_os_str().as_encoded_bytes())[..2])
    }

    /// That machines may reach out through this host's own address. Kept here, for it has to be made again after a reboot.
    pub fn nat(&self) -> PathBuf {
        self.state.join("nat")
    }

    /// Makes the folders, closed to everybody but their owner.
    pub fn ensure(&self) -> io::Result<()> {
        for folder in [self.state.clone(), self.run(), self.logs(), self.state.join("secrets")] {
            if !folder.is_dir() {
                fs::DirBuilder::new().recursive(true).mode(0o711).create(&folder)?;
            }
        }
        fs::set_permissions(self.state.join("secrets"), fs::Permissions::from_mode(0o700))?;
        fs::set_permissions(self.logs(), fs::Permissions::from_mode(0o750))?;
        if let Some(folder) = self.configuration.parent() {
            fs::create_dir_all(folder)?;
        }
        // It may hold the password of a database; earlier builds left it open.
        match fs::set_permissions(&self.configuration, fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// `*.pid` in here name every daemon that was started.
    pub fn run(&self) -> PathBuf {
        self.state.join("run")
    }

    pub fn logs(&self) -> PathBuf {
        self.state.join("log")
    }

    pub fn secret(&self, name: &str) -> PathBuf {
        self.state.join("secrets").join(name)
    }

    /// Where the controller's S3 door answers, or why it does not.
    pub fn s3_address(&self) -> PathBuf {
        self.run().join("s3-address")
    }

    /// What stands there. None where no controller of this host has said it.
    pub fn s3_said(&self) -> Option<String> {
        fs::read_to_string(self.s3_address()).ok()
    }

    pub fn images(&self) -> PathBuf {
        self.state.join("images")
    }

    pub fn objects(&self) -> PathBuf {
        self.state.join("objects")
    }

    pub fn node(&self) -> PathBuf {
        self.state.join("node")
    }
}
