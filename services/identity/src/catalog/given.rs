// SPDX-License-Identifier: Apache-2.0
//! Which endpoints projects were given, in memory beside the catalog. Kept by group, not by project and endpoint, so
//! that it grows with what administrators wrote and no faster.

use std::collections::{HashMap, HashSet};

use access::Allowed;
use store::{Tx, params};
use types::{EndpointId, ProjectId};

use super::{
    endpoint::Endpoint,
    endpoint_group::{Filters, table as groups},
};
use crate::error::Result;

#[derive(Debug, Default)]
pub struct Given {
    by_project: HashMap<ProjectId, ToProject>,
    /// The endpoints of each group.
    groups: HashMap<String, HashSet<EndpointId>>,
}

#[derive(Debug, Default)]
struct ToProject {
    endpoints: HashSet<EndpointId>,
    groups: Vec<String>,
}

impl Given {
    /// Reads what was given; `all` are the endpoints that there are, whether or not they are enabled.
    pub fn load(tx: &mut Tx, all: &[Endpoint]) -> Result<Self> {
        let mut given = Self::default();
        for row in tx.query("SELECT project_id, endpoint_id FROM project_endpoints", &params![])? {
            given.by_project.entry(row.get(0)?).or_default().endpoints.insert(row.get(1)?);
        }
        for row in tx.query("SELECT project_id, endpoint_group_id FROM project_endpoint_groups", &params![])? {
            given.by_project.entry(row.get(0)?).or_default().groups.push(row.get(1)?);
        }
        if !given.by_project.is_empty() {
            let work = Allowed::for_work("read the catalog");
            for group in groups::list(tx, &groups::select(&work))? {
                given.groups.insert(group.id, members(&group.filters, all));
            }
        }
        Ok(given)
    }

    /// What the project was given, if it was given any endpoint at all: then its catalog has no others.
    pub fn to(&self, project: &ProjectId) -> Option<impl Fn(&EndpointId) -> bool> {
        let given = self.by_project.get(project)?;
        let groups: Vec<&HashSet<EndpointId>> = given.groups.iter().filter_map(|group| self.groups.get(group)).collect();
        let is_nothing = given.endpoints.is_empty() && groups.iter().all(|group| group.is_empty());
        let has = move |id: &EndpointId| given.endpoints.contains(id) || groups.iter().any(|group| group.contains(id));
        (!is_nothing).then_some(has)
    }
}

fn members(filters: &Filters, all: &[Endpoint]) -> HashSet<EndpointId> {
    all.iter().filter(|endpoint| filters.admit(endpoint)).map(|endpoint| endpoint.id.clone()).collect()
}
