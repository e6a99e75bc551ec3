// SPDX-License-Identifier: Apache-2.0
//! What the operator says of federation, and what the room remembers of it.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use api::Fault;
use evidence::oidc::{Connection, OidcSettings, SettingsError};
use http::StatusCode;

use super::{
    denied::denied,
    service_provider::{Advertised, table as service_providers},
};
use crate::{
    Identity,
    error::{Error, Result},
};

#[derive(Debug, Clone, Default)]
pub struct FederationSettings {
    /// Under which address browsers reach this cloud; identity providers send them back there.
    pub public_url: String,
    /// The dashboards that may be given a token, by their whole address.
    pub trusted_dashboards: Vec<String>,
    /// The attribute in which identity providers name themselves.
    pub remote_id_attribute: Option<String>,
    /// Minutes for which memberships in groups count after a login, where the identity provider does not say.
    pub authorization_minutes: u32,
    pub oidc: Vec<OidcSettings>,
}

/// The issuer, which every token names.
const REMOTE_ID_ATTRIBUTE: &str = "iss";

#[derive(Default)]
pub struct Federation {
    set_up: OnceLock<SetUp>,
    advertised: RwLock<Option<(u64, Arc<Vec<Advertised>>)>>,
}

struct SetUp {
    settings: FederationSettings,
    connections: Vec<Arc<Connection>>,
}

impl Identity {
    /// Connects the identity providers that the operator configured; to be called once, before the room serves.
    pub fn federate(&self, settings: FederationSettings) -> Result<(), SettingsError> {
        let mut connections: Vec<Arc<Connection>> = vec![];
        for one in &settings.oidc {
            if connections.iter().any(|known| known.serves(&one.identity_provider, &one.protocol)) {
                return Err(SettingsError::Twice(one.identity_provider.clone(), one.protocol.clone()));
            }
            connections.push(Arc::new(Connection::new(one.clone())?));
        }
        self.federation.set_up.get_or_init(|| SetUp { settings, connections });
        Ok(())
    }

    /// The service providers that stand in every token.
    pub(crate) async fn advertised(&self) -> Result<Arc<Vec<Advertised>>> {
        let generation = self.tokens.generation();
        let remembered = self.federation.advertised.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, advertised)) = remembered
            && at == generation
        {
            return Ok(advertised);
        }
        let advertised = Arc::new(self.list(service_providers::advertised).await?);
        *self.federation.advertised.write().unwrap_or_else(PoisonError::into_inner) = Some((generation, advertised.clone()));
        Ok(advertised)
    }
}

impl Federation {
    pub fn connection(&self, provider: &str, protocol: &str) -> Result<Arc<Connection>> {
        let mut found = self.connections().iter().filter(|connection| connection.serves(provider, protocol));
        found.next().cloned().ok_or_else(|| denied(format!("no OpenID issuer is configured for {provider} with {protocol}")))
    }

    /// The one identity provider that speaks a protocol, for a browser that did not say which it wants.
    pub fn only_connection(&self, protocol: &str) -> Result<Arc<Connection>, Fault> {
        let found: Vec<_> = self.connections().iter().filter(|connection| connection.protocol() == protocol).collect();
        match found.as_slice() {
            [one] => Ok(Arc::clone(one)),
            [] => Err(Error::Unauthorized.into()),
            _ => Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "Several identity providers speak this protocol: name one, at /identity_providers/{id}/protocols/{protocol}/websso.",
            )),
        }
    }

    pub fn trusts(&self, dashboard: &str) -> bool {
        self.set_up.get().is_some_and(|set_up| set_up.settings.trusted_dashboards.iter().any(|known| known == dashboard))
    }

    pub fn public_url(&self) -> &str {
        self.set_up.get().map_or("", |set_up| set_up.settings.public_url.trim_end_matches('/'))
    }

    /// In which attribute identity providers name themselves, and how many minutes memberships count.
    pub fn habits(&self) -> (String, u32) {
        let settings = self.set_up.get().map(|set_up| &set_up.settings);
        let attribute = settings.and_then(|settings| settings.remote_id_attribute.clone());
        let minutes = settings.map_or(0, |settings| settings.authorization_minutes);
        (attribute.unwrap_or_else(|| REMOTE_ID_ATTRIBUTE.to_owned()), minutes)
    }

    fn connections(&self) -> &[Arc<Connection>] {
        self.set_up.get().map_or(&[], |set_up| &set_up.connections)
    }
}
