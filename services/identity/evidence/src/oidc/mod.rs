// SPDX-License-Identifier: Apache-2.0
//! OpenID Connect, spoken by the cloud itself: no web server in front checks anything.
//!
//! A [`Connection`] is one identity provider's protocol and the issuer behind it. People come in two ways: with a token
//! of the issuer in hand ([`bearer`]), or with a browser that is sent there and back ([`code`]). Either way it ends in
//! claims that were checked: by whom, for whom, until when. [`claims`] turns them into an assertion for the mapping.
//!
//! Invariant: a token is accepted only if the configured issuer signed it with an asymmetric key for an audience of ours, and it has not expired (test: `only_the_issuers_own_words_count`).

pub mod bearer;
pub mod claims;
pub mod code;
mod issuer;
mod jwt;
mod keys;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use types::Secret;
use web::{Client, Limits, Rules};

use issuer::Issuer;

/// What the operator says of one connection.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    pub identity_provider: String,
    pub protocol: String,
    /// The issuer's address, exactly as it writes itself.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    /// What a browser's login asks for.
    pub scopes: Vec<String>,
    /// Audiences, beside our own client id, whose tokens are taken from a bearer.
    pub audiences: Vec<String>,
    /// A PEM file with the authorities that the issuer's certificate comes from; those of the host when absent.
    pub authorities: Option<PathBuf>,
}

/// A connection, with what is remembered of its issuer.
pub struct Connection {
    settings: OidcSettings,
    issuer: Issuer,
}

/// Why nobody was let in. The log gets the sentence; who asked is told that it failed.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    #[error("{0}")]
    Refused(String),
    #[error("the identity provider does not answer as it should: {what}")]
    Unreachable { what: &'static str, source: Option<web::Error> },
}

/// A connection that cannot be used, found when the cloud starts.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("federation: the issuer '{issuer}' is not an address that can be asked")]
    Issuer { issuer: String, source: web::Error },
    #[error("federation: {} holds no certificate that can be read", .0.display())]
    Authorities(PathBuf),
    #[error("federation: {0} with {1} is configured twice")]
    Twice(String, String),
}

/// Answers of an issuer are small.
const LIMITS: Limits = Limits {
    connect: std::time::Duration::from_secs(5),
    idle: std::time::Duration::from_secs(10),
    total: std::time::Duration::from_secs(15),
    bytes: 512 * 1024,
    redirects: 3,
};

impl Connection {
    pub fn new(settings: OidcSettings) -> Result<Self, SettingsError> {
        let wrong = |source| SettingsError::Issuer { issuer: settings.issuer.clone(), source };
        web::check_url(&settings.issuer).map_err(wrong)?;
        let mut rules = Rules::everything();
        if settings.issuer.starts_with("https://") {
            // Nothing that it says may lead away from where one can be sure who speaks.
            rules = rules.only_https();
        }
        let mut client = Client::new(rules, LIMITS);
        if let Some(path) = &settings.authorities {
            client = client.with_roots(authorities(path)?);
        }
        Ok(Self { issuer: Issuer::new(client, &settings.issuer), settings })
    }

    pub fn serves(&self, identity_provider: &str, protocol: &str) -> bool {
        self.settings.identity_provider == identity_provider && self.settings.protocol == protocol
    }

    pub fn identity_provider(&self) -> &str {
        &self.settings.identity_provider
    }

    pub fn protocol(&self) -> &str {
        &self.settings.protocol
    }
}

impl Denial {
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

fn authorities(path: &PathBuf) -> Result<rustls::RootCertStore, SettingsError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Ok(certificates) = CertificateDer::pem_file_iter(path) {
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    }
    if roots.is_empty() { Err(SettingsError::Authorities(path.clone())) } else { Ok(roots) }
}
