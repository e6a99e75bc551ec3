// SPDX-License-Identifier: Apache-2.0
//! What is acted upon, as far as rules may ask: `project_id`, `user_id`, `target.user.domain_id` and the like.

use std::borrow::Cow;

use types::{DomainId, ProjectId, UserId};

use crate::policy::check::{Fact, Facts};

#[derive(Debug, Clone, Default)]
pub struct Target {
    facts: Vec<(Cow<'static, str>, Option<String>)>,
}

impl Target {
    /// A target of which nothing is known: a rule that asks for any fact of it fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// A thing that belongs to a project. Rules know the project as `project_id` and, from older days, `tenant_id`.
    pub fn in_project(project: &ProjectId) -> Self {
        Self::new().with("project_id", project.as_str()).with("tenant_id", project.as_str())
    }

    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.facts.push((key.into(), Some(value.into())));
        self
    }

    /// A fact whose value may be absent; rules see an absent one as `None`.
    #[must_use]
    pub fn with_optional(mut self, key: impl Into<Cow<'static, str>>, value: Option<impl Into<String>>) -> Self {
        self.facts.push((key.into(), value.map(Into::into)));
        self
    }

    #[must_use]
    pub fn owned_by(self, user: &UserId) -> Self {
        self.with("user_id", user.as_str())
    }

    #[must_use]
    pub fn in_domain(self, domain: &DomainId) -> Self {
        self.with("domain_id", domain.as_str())
    }
}

impl Facts for Target {
    fn fact(&self, key: &str) -> Fact<'_> {
        match self.facts.iter().find(|(name, _)| name == key) {
            Some((_, Some(text))) => Fact::Text(text),
            Some((_, None)) => Fact::Null,
            None => Fact::Missing,
        }
    }
}

/// A whole class of targets: what is given is fixed, all else is open.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClassOfTargets<'a> {
    pub project: Option<&'a ProjectId>,
    pub user: Option<&'a UserId>,
    pub domain: Option<&'a DomainId>,
}

impl Facts for ClassOfTargets<'_> {
    fn fact(&self, key: &str) -> Fact<'_> {
        let fixed = match key {
            "project_id" | "tenant_id" | "owner" | "target.project.id" | "target.project_id" => {
                self.project.map(ProjectId::as_str)
            }
            "user_id" | "target.user.id" | "target.user_id" | "target.credential.user_id" | "target.token.user_id" => {
                self.user.map(UserId::as_str)
            }
            "domain_id"
            | "target.domain_id"
            | "target.domain.id"
            | "target.user.domain_id"
            | "target.project.domain_id"
            | "target.group.domain_id" => self.domain.map(DomainId::as_str),
            _ => None,
        };
        fixed.map_or(Fact::Open, Fact::Text)
    }
}
