// SPDX-License-Identifier: Apache-2.0
//! Applying rules to an assertion: every rule that fits has its say.

use types::GroupId;

use super::{
    Assertion, Domain, Group, Local, MOST_VALUES, Mapped, MappedGroup, MappedProject, MappedUser, Project, Rule, Rules, Unmapped,
    User, Version, json, template::Taken,
};
use crate::DomainRef;

impl Rules {
    /// Who the assertion speaks of. The first user that is named counts, and the projects that are named last;
    /// groups add up.
    pub fn apply(&self, assertion: &Assertion) -> Result<Mapped, Unmapped> {
        if assertion.values().map(Vec::len).sum::<usize>() > MOST_VALUES {
            return Err(Unmapped::TooMuch);
        }
        let mut said = Said::default();
        for rule in &self.rules {
            let Some(taken) = rule.take(assertion) else { continue };
            for local in &rule.local {
                said.add(local, &taken, self.version)?;
            }
        }
        said.conclude(self.version)
    }
}

impl Rule {
    /// The values for the holes of the local half; `None` if the rule does not apply.
    fn take<'a>(&self, assertion: &'a Assertion) -> Option<Vec<Vec<&'a str>>> {
        let mut taken = vec![];
        for remote in &self.remote {
            let values = assertion.get(&remote.attribute).filter(|values| !values.is_empty())?;
            let values = remote.condition.judge(values)?;
            if remote.condition.takes() {
                taken.push(values);
            }
        }
        Some(taken)
    }
}

/// What the rules have said so far.
#[derive(Default)]
struct Said {
    anything: bool,
    user: Option<MappedUser>,
    group_ids: Vec<GroupId>,
    group_names: Vec<MappedGroup>,
    projects: Vec<MappedProject>,
    /// The domain named last beside anything.
    domain: Option<DomainRef>,
}

impl Said {
    fn add(&mut self, local: &Local, taken: &Taken<'_>, version: Version) -> Result<(), Unmapped> {
        self.anything = true;
        let domain = local.domain.as_ref().and_then(|domain| domain.fill(taken));
        if let Some(user) = &local.user
            && self.user.is_none()
        {
            self.user = Some(user.fill(taken));
        }
        match &local.group {
            Some(Group::Id(id)) => self.add_group_id(id.fill(taken)),
            Some(Group::Name { name, domain }) => {
                if let Some(domain) = domain.fill(taken) {
                    self.add_group_name(name.fill(taken), domain);
                }
            }
            None => {}
        }
        for name in local.groups.iter().flat_map(|groups| groups.fill(taken)) {
            let MappedGroup { name, domain } = json::group(name, domain.as_ref())?;
            self.add_group_name(name, domain);
        }
        for id in local.group_ids.iter().flat_map(|ids| ids.fill(taken)) {
            self.add_group_id(id);
        }
        if local.projects.is_some() || local.projects_json.is_some() {
            let default = domain.as_ref().filter(|_| version >= Version::Two);
            let fixed = local.projects.iter().flatten().map(|project| project.fill(taken, default));
            self.projects = fixed.collect();
            for text in local.projects_json.and_then(|hole| taken.get(hole)).into_iter().flatten() {
                self.projects.extend(json::projects(text, default)?);
            }
        }
        self.domain = domain;
        Ok(())
    }

    fn add_group_id(&mut self, id: String) {
        let id = GroupId::new(id);
        if !id.as_str().is_empty() && !self.group_ids.contains(&id) {
            self.group_ids.push(id);
        }
    }

    fn add_group_name(&mut self, name: String, domain: DomainRef) {
        let group = MappedGroup { name, domain };
        if !group.name.is_empty() && !self.group_names.contains(&group) {
            self.group_names.push(group);
        }
    }

    fn conclude(self, version: Version) -> Result<Mapped, Unmapped> {
        if !self.anything {
            return Err(Unmapped::NoRuleApplies);
        }
        let mut user = self.user.unwrap_or_default();
        if user.id.is_none() && user.name.is_none() {
            return Err(Unmapped::NoUser);
        }
        if user.domain.is_none() && version >= Version::Two {
            user.domain = self.domain;
        }
        Ok(Mapped {
            user,
            group_ids: self.group_ids,
            group_names: self.group_names,
            projects_are_all: version >= Version::Three,
            projects: self.projects,
        })
    }
}

impl User {
    /// An empty id or name is none: all whom the identity provider says nothing of would be one user.
    fn fill(&self, taken: &Taken<'_>) -> MappedUser {
        let fill = |template: &Option<super::Template>| {
            template.as_ref().map(|template| template.fill(taken)).filter(|text| !text.trim().is_empty())
        };
        MappedUser {
            kind: self.kind,
            id: fill(&self.id),
            name: fill(&self.name),
            email: fill(&self.email),
            domain: self.domain.as_ref().and_then(|domain| domain.fill(taken)),
        }
    }
}

impl Project {
    fn fill(&self, taken: &Taken<'_>, default: Option<&DomainRef>) -> MappedProject {
        MappedProject {
            name: self.name.fill(taken),
            domain: self.domain.as_ref().and_then(|domain| domain.fill(taken)).or_else(|| default.cloned()),
            roles: self.roles.iter().map(|role| role.fill(taken)).collect(),
        }
    }
}

impl Domain {
    fn fill(&self, taken: &Taken<'_>) -> Option<DomainRef> {
        let domain = match self {
            Self::Id(id) => DomainRef::Id(id.fill(taken).into()),
            Self::Name(name) => DomainRef::Name(name.fill(taken)),
        };
        let is_named = match &domain {
            DomainRef::Id(id) => !id.as_str().is_empty(),
            DomainRef::Name(name) => !name.is_empty(),
        };
        is_named.then_some(domain)
    }
}
