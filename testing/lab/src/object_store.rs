// SPDX-License-Identifier: Apache-2.0
//! An object store for a test: S3 on loopback, with one bucket and one user, whose signatures are checked.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::client::Python;

const PROGRAM: &str = include_str!("object_store.py");

/// Ends with the test, however that ends: it lives as long as its standard input.
pub struct ObjectStore {
    child: Child,
    pub endpoint: String,
    pub access: String,
    pub secret: String,
}

impl ObjectStore {
    pub const BUCKET: &str = "images";

    pub fn start() -> Result<Self> {
        let python = Python::with_object_store()?;
        let mut command = Command::new(python.program("python"));
        let mut child = command
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the object store")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the object store's output")?;
        BufReader::new(stdout).read_line(&mut line).context("hearing of the object store")?;
        ensure!(!line.is_empty(), "the object store did not start");
        let said: serde_json::Value = serde_json::from_str(&line).context("understanding the object store")?;
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        Ok(Self { child, endpoint: text("endpoint"), access: text("access"), secret: text("secret") })
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
