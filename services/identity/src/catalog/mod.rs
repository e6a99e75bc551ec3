// SPDX-License-Identifier: Apache-2.0
//! The catalog: which services there are, in which regions, at which addresses.

pub mod endpoint;
pub mod region;
pub mod service;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use contracts::caller::Caller;
use serde::Serialize;
use store::Tx;
use types::{EndpointId, ServiceId};

use crate::{Identity, error::Result};

/// A service with its endpoints, as tokens carry it.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceView {
    pub endpoints: Vec<EndpointView>,
    pub id: ServiceId,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct EndpointView {
    pub id: EndpointId,
    pub interface: String,
    pub region_id: Option<String>,
    pub url: String,
    pub region: Option<String>,
}

/// The catalog and the generation of identity at which it was read.
pub type Remembered = Option<(u64, Arc<Vec<ServiceView>>)>;

impl Identity {
    /// The enabled services and endpoints, from memory unless something changed.
    pub async fn catalog(&self) -> Result<Arc<Vec<ServiceView>>> {
        let generation = self.tokens.generation();
        if let Some(catalog) = self.remembered_catalog(generation) {
            return Ok(catalog);
        }
        let catalog = Arc::new(self.read(load).await?);
        self.remember_catalog(generation, Arc::clone(&catalog));
        Ok(catalog)
    }
}

/// The catalog with the caller's own ids in its addresses. An address that needs a project is left out for who has none.
pub fn for_caller(catalog: &[ServiceView], caller: &Caller, project: &str) -> Vec<ServiceView> {
    let user = caller.user.id.as_str();
    let own = |endpoint: &EndpointView| Some(EndpointView { url: address(&endpoint.url, project, user)?, ..endpoint.clone() });
    let with_own =
        |service: &ServiceView| ServiceView { endpoints: service.endpoints.iter().filter_map(own).collect(), ..service.clone() };
    catalog.iter().map(with_own).collect()
}

fn address(template: &str, project: &str, user: &str) -> Option<String> {
    if !template.contains(['$', '%']) {
        return Some(template.to_owned());
    }
    let mut url = template.replace("$(", "%(");
    for name in ["%(project_id)s", "%(tenant_id)s"] {
        if url.contains(name) {
            if project.is_empty() {
                return None;
            }
            url = url.replace(name, project);
        }
    }
    Some(url.replace("%(user_id)s", user))
}

fn load(tx: &mut Tx) -> Result<Vec<ServiceView>> {
    let mut by_service: HashMap<ServiceId, Vec<EndpointView>> = HashMap::new();
    let endpoints = "SELECT service_id, id, interface, region_id, url FROM catalog_endpoints WHERE enabled = 1 \
                     ORDER BY region_id, interface, id";
    for row in tx.query(endpoints, &[])? {
        let region: Option<String> = row.get(3)?;
        by_service.entry(row.get(0)?).or_default().push(EndpointView {
            id: row.get(1)?,
            interface: row.get(2)?,
            region_id: region.clone(),
            url: row.get(4)?,
            region,
        });
    }
    let services = "SELECT id, type, name FROM catalog_services WHERE enabled = 1 ORDER BY type, id";
    let mut catalog = vec![];
    for row in tx.query(services, &[])? {
        let id: ServiceId = row.get(0)?;
        let name: Option<String> = row.get(2)?;
        let endpoints = by_service.remove(&id).unwrap_or_default();
        catalog.push(ServiceView { endpoints, id, kind: row.get(1)?, name: name.unwrap_or_default() });
    }
    Ok(catalog)
}
