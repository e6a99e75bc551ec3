// SPDX-License-Identifier: Apache-2.0
//! `[federation]` in `ferrostack.toml`: the OpenID Connect issuers behind identity providers, and the dashboards that
//! may be given a token.

use std::{fs, path::PathBuf};

use anyhow::{Context, ensure};
use identity::{FederationSettings, OidcSettings};
use serde::{Deserialize, Serialize};
use types::Secret;

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// The addresses to which a browser's login may hand a token, whole: `https://cloud.example.org/dashboard/auth/websso/`.
    pub trusted_dashboard: Vec<String>,
    /// The attribute in which identity providers name themselves; the issuer when empty.
    pub remote_id_attribute: Option<String>,
    /// Minutes for which groups of a federated user count beyond the token, for application credentials and trusts.
    pub default_authorization_ttl: u32,
    pub oidc: Vec<Oidc>,
}

/// One protocol of one identity provider, both of which are made through the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    pub identity_provider: String,
    pub protocol: String,
    /// Exactly as the issuer writes itself in its discovery document.
    pub issuer: String,
    pub client_id: String,
    /// A file with the client's secret and nothing else; none for a public client.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What a browser's login asks for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// Audiences beside the client's id whose tokens the command line may bring.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// A PEM file with the authorities of the issuer's certificate; those of this host when absent.
    #[serde(default)]
    pub certificate_authorities: Option<PathBuf>,
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

impl Federation {
    pub fn check(&self) -> anyhow::Result<()> {
        for origin in &self.trusted_dashboard {
            let is_whole = origin.starts_with("https://") || origin.starts_with("http://");
            ensure!(is_whole, "federation.trusted_dashboard: {origin:?} is not a whole address with https://");
        }
        for oidc in &self.oidc {
            let at = format!("federation.oidc of {}", oidc.identity_provider);
            ensure!(oidc.scopes.iter().any(|scope| scope == "openid"), "{at}: scopes lack \"openid\"");
            let is_url = oidc.issuer.starts_with("https://") || oidc.issuer.starts_with("http://");
            ensure!(is_url, "{at}: the issuer is a URL, as it stands in its discovery document");
        }
        Ok(())
    }

    /// What the identity room is told, with the secrets.
    pub fn settings(&self, public_url: String) -> anyhow::Result<FederationSettings> {
        Ok(FederationSettings {
            public_url,
            trusted_dashboards: self.trusted_dashboard.clone(),
            remote_id_attribute: self.remote_id_attribute.clone().filter(|name| !name.is_empty()),
            authorization_minutes: self.default_authorization_ttl,
            oidc: self.oidc.iter().map(Oidc::settings).collect::<anyhow::Result<_>>()?,
        })
    }
}

impl Oidc {
    fn settings(&self) -> anyhow::Result<OidcSettings> {
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path).with_context(|| format!("read the client secret {}", path.display()))?;
            anyhow::Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        };
        Ok(OidcSettings {
            identity_provider: self.identity_provider.clone(),
            protocol: self.protocol.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret_file.as_ref().map(read).transpose()?,
            scopes: self.scopes.clone(),
            audiences: self.audiences.clone(),
            authorities: self.certificate_authorities.clone(),
        })
    }
}
