// SPDX-License-Identifier: Apache-2.0
//! `[s3]`: the door for S3's clients.

use std::net::SocketAddr;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::Config;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3 {
    pub enabled: bool,
    /// Where it is served, with the API's certificate if it has one; the API's address, two ports on or the next that is free, if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// `bucket.DOMAIN` names a bucket, beside the path; DNS leads all of them here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

impl Default for S3 {
    fn default() -> Self {
        Self { enabled: true, listen: None, domain: None }
    }
}

impl S3 {
    pub fn check(&self) -> anyhow::Result<()> {
        let is_name = |domain: &str| {
            domain.contains('.') && domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        match &self.domain {
            Some(domain) if !is_name(domain) => {
                bail!("s3.domain is a name in small letters, as in \"s3.example.com\", not {domain:?}")
            }
            _ => Ok(()),
        }
    }
}

impl Config {
    /// Where the S3 door shall be, if it shall be open. Where it is, the controller writes down.
    pub fn s3_address(&self) -> Option<SocketAddr> {
        let beside = || {
            let mut address = self.api.listen;
            address.set_port(address.port().checked_add(2)?);
            Some(address)
        };
        self.s3.enabled.then(|| self.s3.listen.or_else(beside)).flatten()
    }

    pub fn s3_url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.api.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}
