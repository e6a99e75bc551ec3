// SPDX-License-Identifier: Apache-2.0
//! `[objects]`: where the bytes of objects are kept.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use contracts::data::Data;
use segments::{Bucket, Segments, Settings};
use serde::{Deserialize, Serialize};

use super::image;
use crate::home::Home;

/// The largest body that goes into a bucket at once.
const LARGEST: u64 = 64 << 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objects {
    /// A folder; one in the state directory, if neither is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Or a bucket of any service that speaks S3: where one host is not enough, and where several controllers are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<image::Bucket>,
    /// Days that an upload in parts waits for the next of them.
    pub upload_days: u64,
    /// Sites whose old plug-ins may read here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cross_domain: Vec<String>,
    /// Whether pages among the objects are shut off from what else is at the API's address, as the dashboard is.
    pub sandbox: bool,
}

impl Default for Objects {
    fn default() -> Self {
        Self { path: None, s3: None, upload_days: 7, cross_domain: Vec::new(), sandbox: true }
    }
}

impl Objects {
    pub fn check(&self) -> anyhow::Result<()> {
        if self.upload_days == 0 {
            bail!("objects.upload_days: an upload in parts waits for a day at least");
        }
        match (&self.path, &self.s3) {
            (Some(_), Some(_)) => bail!("objects: their data is kept at a path or in s3, not both"),
            (Some(path), None) if !path.is_absolute() => bail!("objects.path is absolute, not {}", path.display()),
            (None, Some(at)) if !at.prefix.ends_with('/') || at.prefix.starts_with('/') || at.prefix.starts_with("images/") => {
                bail!("objects.s3: set a prefix of its own that ends with a slash, as in \"objects/\"")
            }
            _ => Ok(()),
        }
    }

    pub fn settings(&self, keeper: String) -> object::Settings {
        object::Settings {
            keeper,
            patience: Duration::from_secs(self.upload_days.saturating_mul(24 * 3600)),
            cross_domain: self.cross_domain.clone(),
            sandbox: self.sandbox,
            ..object::Settings::default()
        }
    }

    pub fn data(&self, home: &Home) -> anyhow::Result<Arc<dyn Data>> {
        if let Some(at) = &self.s3 {
            let bucket = at.client(LARGEST).context("set up objects.s3")?;
            return Ok(Arc::new(Bucket::new(bucket, at.prefix.clone())));
        }
        let folder = self.path.clone().unwrap_or_else(|| home.objects());
        let context = || format!("keep objects in {}", folder.display());
        Ok(Arc::new(Segments::open(folder.clone(), Settings::default()).with_context(context)?))
    }
}
