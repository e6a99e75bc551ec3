// SPDX-License-Identifier: Apache-2.0
//! Groups and projects that an identity provider says in JSON, with a domain of their own.

use serde::Deserialize;

use super::{MappedGroup, MappedProject, Unmapped};
use crate::DomainRef;

/// What stands before a group that is written as an object.
const MARK: &str = "JSON:";

#[derive(Deserialize)]
struct SaidGroup {
    name: String,
    domain: Option<SaidDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidProject {
    name: String,
    roles: Vec<SaidRole>,
    domain: Option<SaidDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidRole {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidDomain {
    id: Option<String>,
    name: Option<String>,
}

/// A plain name, or `JSON:{"name": "…", "domain": {"id": "…"}}`.
pub fn group(text: String, default: Option<&DomainRef>) -> Result<MappedGroup, Unmapped> {
    let (name, own) = match text.strip_prefix(MARK) {
        Some(json) => {
            let said: SaidGroup = serde_json::from_str(json).map_err(bad)?;
            (said.name, said.domain.map(SaidDomain::read).transpose()?)
        }
        None => (text, None),
    };
    let domain = own.or_else(|| default.cloned()).ok_or(Unmapped::GroupWithoutDomain)?;
    Ok(MappedGroup { name, domain })
}

/// `[{"name": "…", "roles": [{"name": "…"}], "domain": {"id": "…"}}]`
pub fn projects(text: &str, default: Option<&DomainRef>) -> Result<Vec<MappedProject>, Unmapped> {
    let said: Vec<SaidProject> = serde_json::from_str(text).map_err(bad)?;
    let read = |said: SaidProject| {
        let own = said.domain.map(SaidDomain::read).transpose()?;
        let roles = said.roles.into_iter().map(|role| role.name).collect();
        Ok(MappedProject { name: said.name, domain: own.or_else(|| default.cloned()), roles })
    };
    said.into_iter().map(read).collect()
}

impl SaidDomain {
    fn read(self) -> Result<DomainRef, Unmapped> {
        match (self.id, self.name) {
            (Some(id), _) => Ok(DomainRef::Id(id.into())),
            (None, Some(name)) => Ok(DomainRef::Name(name)),
            (None, None) => Err(Unmapped::BadJson("a domain is named by id or by name".to_owned())),
        }
    }
}

fn bad(error: serde_json::Error) -> Unmapped {
    Unmapped::BadJson(error.to_string())
}
