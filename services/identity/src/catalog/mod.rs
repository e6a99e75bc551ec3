// SPDX-License-Identifier: Apache-2.0
//! The catalog: which services there are, in which regions, at which addresses.

pub mod endpoint;
pub mod endpoint_group;
mod given;
pub mod project_endpoint;
pub mod region;
pub mod service;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use access::{Allowed, Scope};
use contracts::caller::Caller;
use serde::Serialize;
use store::Tx;
use types::{EndpointId, ServiceId};

use self::endpoint::table as endpoints;
use crate::{
    Identity,
    error::{Error, Result},
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("catalog", routes).tables(&[crate::Step {
    number: 12,
    name: "endpoint_filters",
    sql: include_str!("../../migrations/0012_endpoint_filters.sql"),
}]);

fn routes() -> ::api::Routes<crate::Identity> {
    region::api::routes()
        .join(service::api::routes())
        .join(endpoint::api::routes())
        .join(endpoint_group::api::routes())
        .join(project_endpoint::api::routes())
}

/// The enabled services and endpoints, and which project was given which of them.
#[derive(Debug)]
pub struct Catalog {
    services: Vec<ServiceView>,
    given: given::Given,
}

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
pub type Remembered = Option<(u64, Arc<Catalog>)>;

impl Identity {
    /// The catalog, from memory unless something changed.
    pub async fn catalog(&self) -> Result<Arc<Catalog>> {
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
///
/// Invariant: a project that was given endpoints sees these and no others, from the next token on, and reading them costs
/// no statement while nothing changes (test: `the_catalog_holds_what_the_project_was_given`).
pub fn for_caller(catalog: &Catalog, caller: &Caller, project: &str) -> Vec<ServiceView> {
    let user = caller.user.id.as_str();
    let given = caller.project_id().and_then(|project| catalog.given.to(project));
    let is_given = |endpoint: &EndpointView| given.as_ref().is_none_or(|given| given(&endpoint.id));
    let own = |endpoint: &EndpointView| {
        let url = address(&endpoint.url, project, user).filter(|_| is_given(endpoint))?;
        Some(EndpointView { url, ..endpoint.clone() })
    };
    let with_own = |service: &ServiceView| ServiceView {
        endpoints: service.endpoints.iter().filter_map(own).collect(),
        id: service.id.clone(),
        kind: service.kind.clone(),
        name: service.name.clone(),
    };
    let services = catalog.services.iter().map(with_own);
    // A service without an endpoint is told, but not where endpoints were chosen.
    services.filter(|service| given.is_none() || !service.endpoints.is_empty()).collect()
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

fn load(tx: &mut Tx) -> Result<Catalog> {
    let work = Allowed::for_work("read the catalog");
    let mut all = endpoints::list(tx, &endpoints::select(&work))?;
    all.sort_by(|a, b| (&a.region_id, a.interface.as_str(), &a.id).cmp(&(&b.region_id, b.interface.as_str(), &b.id)));
    let mut by_service: HashMap<&ServiceId, Vec<EndpointView>> = HashMap::new();
    for endpoint in all.iter().filter(|endpoint| endpoint.enabled) {
        by_service.entry(&endpoint.service_id).or_default().push(EndpointView {
            id: endpoint.id.clone(),
            interface: endpoint.interface.as_str().to_owned(),
            region_id: endpoint.region_id.clone(),
            url: endpoint.url.clone(),
            region: endpoint.region_id.clone(),
        });
    }
    let sql = "SELECT id, type, name FROM catalog_services WHERE enabled = 1 ORDER BY type, id";
    let mut services = vec![];
    for row in tx.query(sql, &[])? {
        let id: ServiceId = row.get(0)?;
        let name: Option<String> = row.get(2)?;
        let endpoints = by_service.remove(&id).unwrap_or_default();
        services.push(ServiceView { endpoints, id, kind: row.get(1)?, name: name.unwrap_or_default() });
    }
    let given = given::Given::load(tx, &all)?;
    Ok(Catalog { services, given })
}

/// A limit names a service, and perhaps a region, that are there.
pub fn refuse_unknown(tx: &mut Tx, allowed: &Allowed<Scope>, service: &ServiceId, region: Option<&str>) -> Result<()> {
    service::table::get(tx, allowed, service).map_err(Error::in_body)?;
    if let Some(region) = region {
        region::table::get(tx, allowed, region).map_err(Error::in_body)?;
    }
    Ok(())
}
