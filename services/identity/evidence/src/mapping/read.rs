// SPDX-License-Identifier: Apache-2.0
//! Reading a mapping: Keystone's JSON schema, with sentences for what is wrong.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Domain, Group, Local, Project, Remote, Rule, Rules, User, UserKind, Version,
    pattern::{Condition, Values},
    template::{ListTemplate, Template},
};

const MOST_RULES: usize = 200;
/// Entries in one half of a rule.
const MOST_ENTRIES: usize = 100;

impl Version {
    pub const DEFAULT: &'static str = "1.0";

    pub fn read(text: &str) -> Result<Self, String> {
        match text {
            "1.0" => Ok(Self::One),
            "2.0" => Ok(Self::Two),
            "3.0" => Ok(Self::Three),
            other => Err(format!("schema_version is 1.0, 2.0 or 3.0, not '{other}'")),
        }
    }
}

impl Rules {
    /// Checks a mapping's `rules`. What is wrong is said with its place.
    pub fn read(version: Version, rules: &Value) -> Result<Self, String> {
        let raw: Vec<RawRule> = serde_path_to_error::deserialize(rules).map_err(|error| {
            let at = error.path().to_string();
            let cause = error.into_inner();
            if at == "." { format!("rules: {cause}") } else { format!("rules{}: {cause}", bracketed(&at)) }
        })?;
        if raw.is_empty() || raw.len() > MOST_RULES {
            return Err(format!("a mapping has 1 to {MOST_RULES} rules"));
        }
        let rules = raw
            .into_iter()
            .enumerate()
            .map(|(number, rule)| rule.read(version).map_err(|cause| format!("rules[{number}]: {cause}")));
        Ok(Self { version, rules: rules.collect::<Result<_, _>>()? })
    }
}

fn bracketed(path: &str) -> String {
    if path.starts_with('[') { path.to_owned() } else { format!(".{path}") }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    local: Vec<RawLocal>,
    remote: Vec<RawRemote>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRemote {
    #[serde(rename = "type")]
    attribute: String,
    any_one_of: Option<Vec<String>>,
    not_any_of: Option<Vec<String>>,
    whitelist: Option<Vec<String>>,
    blacklist: Option<Vec<String>>,
    regex: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLocal {
    user: Option<RawUser>,
    group: Option<RawGroup>,
    groups: Option<String>,
    group_ids: Option<String>,
    projects: Option<Vec<RawProject>>,
    projects_json: Option<String>,
    domain: Option<RawDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    domain: Option<RawDomain>,
    #[serde(rename = "type")]
    kind: Option<RawKind>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Ephemeral,
    Local,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    id: Option<String>,
    name: Option<String>,
    domain: Option<RawDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProject {
    name: String,
    roles: Vec<RawRole>,
    domain: Option<RawDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDomain {
    id: Option<String>,
    name: Option<String>,
}

impl RawRule {
    fn read(self, version: Version) -> Result<Rule, String> {
        if self.remote.is_empty() {
            return Err("remote: a rule demands at least one attribute".into());
        }
        if self.remote.len() > MOST_ENTRIES || self.local.len() > MOST_ENTRIES {
            return Err(format!("each half of a rule has at most {MOST_ENTRIES} entries"));
        }
        let remote: Vec<Remote> = self.remote.into_iter().map(RawRemote::read).collect::<Result<_, _>>()?;
        let holes = remote.iter().filter(|remote| remote.condition.takes()).count();
        let local: Result<_, _> = self.local.into_iter().map(|local| local.read(version, holes)).collect();
        Ok(Rule { local: local?, remote })
    }
}

impl RawRemote {
    fn read(self) -> Result<Remote, String> {
        let is_pattern = self.regex;
        let values = |values: Vec<String>| match is_pattern {
            Some(true) => Values::patterns(&values),
            _ => Values::exact(values),
        };
        let condition = match (self.any_one_of, self.not_any_of, self.whitelist, self.blacklist) {
            (None, None, None, None) if is_pattern.is_some() => Err("regex stands beside values that are patterns".to_owned()),
            (None, None, None, None) => Ok(Condition::Present),
            (Some(any), None, None, None) => values(any).map(Condition::AnyOneOf),
            (None, Some(not), None, None) => values(not).map(Condition::NotAnyOf),
            (None, None, Some(white), None) => values(white).map(Condition::Whitelist),
            (None, None, None, Some(black)) => values(black).map(Condition::Blacklist),
            _ => Err("only one of any_one_of, not_any_of, whitelist and blacklist".to_owned()),
        };
        let condition = condition.map_err(|cause| format!("remote '{}': {cause}", self.attribute))?;
        Ok(Remote { attribute: self.attribute, condition })
    }
}

impl RawLocal {
    fn read(self, version: Version, holes: usize) -> Result<Local, String> {
        let domain = self.domain.map(|domain| domain.read(holes)).transpose()?;
        // Only names that come as JSON bring their own domain; such a name comes in a hole.
        if self.groups.as_ref().is_some_and(|groups| !groups.contains('{')) && domain.is_none() {
            return Err("groups are named within a domain: set 'domain' beside 'groups'".into());
        }
        let projects_json = self.projects_json.map(|text| Template::read(&text, holes)).transpose()?;
        let hole = match projects_json {
            Some(_) if version < Version::Three => return Err("projects_json needs schema_version 3.0".into()),
            Some(template) => Some(template.only_hole().ok_or("projects_json is one value, such as {0}")?),
            None => None,
        };
        let list = |text: Option<String>| text.map(|text| ListTemplate::read(&text, holes)).transpose();
        let projects = self.projects.map(|projects| projects.into_iter().map(|project| project.read(version, holes)).collect());
        Ok(Local {
            user: self.user.map(|user| user.read(holes)).transpose()?,
            group: self.group.map(|group| group.read(holes)).transpose()?,
            groups: list(self.groups)?,
            group_ids: list(self.group_ids)?,
            projects: projects.transpose()?,
            projects_json: hole,
            domain,
        })
    }
}

impl RawUser {
    fn read(self, holes: usize) -> Result<User, String> {
        let template = |text: Option<String>| text.map(|text| Template::read(&text, holes)).transpose();
        Ok(User {
            kind: match self.kind {
                Some(RawKind::Local) => UserKind::Local,
                Some(RawKind::Ephemeral) | None => UserKind::Ephemeral,
            },
            id: template(self.id)?,
            name: template(self.name)?,
            email: template(self.email)?,
            domain: self.domain.map(|domain| domain.read(holes)).transpose()?,
        })
    }
}

impl RawGroup {
    fn read(self, holes: usize) -> Result<Group, String> {
        match (self.id, self.name, self.domain) {
            (Some(id), None, None) => Ok(Group::Id(Template::read(&id, holes)?)),
            (None, Some(name), Some(domain)) => {
                Ok(Group::Name { name: Template::read(&name, holes)?, domain: domain.read(holes)? })
            }
            _ => Err("a group is named by id, or by name and domain".into()),
        }
    }
}

impl RawProject {
    fn read(self, version: Version, holes: usize) -> Result<Project, String> {
        if self.domain.is_some() && version == Version::One {
            return Err("a project's own domain needs schema_version 2.0".into());
        }
        let roles: Result<_, _> = self.roles.iter().map(|role| Template::read(&role.name, holes)).collect();
        Ok(Project {
            name: Template::read(&self.name, holes)?,
            domain: self.domain.map(|domain| domain.read(holes)).transpose()?,
            roles: roles?,
        })
    }
}

impl RawDomain {
    fn read(self, holes: usize) -> Result<Domain, String> {
        match (self.id, self.name) {
            (Some(id), _) => Ok(Domain::Id(Template::read(&id, holes)?)),
            (None, Some(name)) => Ok(Domain::Name(Template::read(&name, holes)?)),
            (None, None) => Err("a domain is named by id or by name".into()),
        }
    }
}
