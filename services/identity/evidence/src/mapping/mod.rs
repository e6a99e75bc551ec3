// SPDX-License-Identifier: Apache-2.0
//! The mapping engine: from what an identity provider says of somebody to who that is here.
//!
//! A mapping is a list of rules. A rule's `remote` half says when it applies and which values it takes from the
//! assertion; its `local` half says what follows: a user, groups, projects. Rules are read and checked in full when an
//! administrator writes them ([`Rules::read`]), so that a login can only fail by what the assertion lacks.
//!
//! The engine is pure: no table, no clock, no network. It differs from Keystone's where Keystone goes through text:
//! lists stay lists here, and a value that looks like a list of names does not become one.
//!
//! Invariant: neither a mapping nor an assertion makes the engine work without bound (test: `hostile_patterns_cost_little`).

mod apply;
mod json;
mod pattern;
mod read;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use pattern::Condition;
use template::{ListTemplate, Template};
use types::GroupId;

use crate::DomainRef;

/// What an identity provider says of somebody: each attribute with its values.
pub type Assertion = BTreeMap<String, Vec<String>>;

/// A mapping, checked and ready to be applied.
#[derive(Debug)]
pub struct Rules {
    version: Version,
    rules: Vec<Rule>,
}

/// The versions of Keystone's schema that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Projects and users without a domain of their own belong to the identity provider's domain.
    One,
    /// They belong to the domain that the rule names beside them.
    Two,
    /// An attribute may bring projects as JSON, and each login takes away the roles in projects that the mapping does not
    /// give any more.
    Three,
}

/// Who somebody is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    pub user: MappedUser,
    pub group_ids: Vec<GroupId>,
    pub group_names: Vec<MappedGroup>,
    pub projects: Vec<MappedProject>,
    /// The user has no roles in projects but those.
    pub projects_are_all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedUser {
    pub kind: UserKind,
    pub id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub domain: Option<DomainRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserKind {
    /// Lives by the identity provider; a shadow of it is kept here.
    #[default]
    Ephemeral,
    /// Was made here, and logs in by the identity provider.
    Local,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedGroup {
    pub name: String,
    pub domain: DomainRef,
}

/// A project to be made if it is not there, and the roles in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedProject {
    pub name: String,
    pub domain: Option<DomainRef>,
    pub roles: Vec<String>,
}

/// Why an assertion maps to nobody. For the operator's log: whoever tries to log in is told only that it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmapped {
    #[error("no rule of the mapping applies to what the identity provider says")]
    NoRuleApplies,
    #[error("the rules that apply name no user, neither by id nor by name")]
    NoUser,
    #[error("the identity provider says more than {MOST_VALUES} things of the user")]
    TooMuch,
    #[error("a group is named without the domain that it is in")]
    GroupWithoutDomain,
    #[error("what the identity provider says of groups or projects is no such JSON: {0}")]
    BadJson(String),
}

/// Values in an assertion, all attributes together.
pub const MOST_VALUES: usize = 2000;

#[derive(Debug)]
struct Rule {
    local: Vec<Local>,
    remote: Vec<Remote>,
}

/// One attribute that must be in the assertion.
#[derive(Debug)]
struct Remote {
    attribute: String,
    condition: Condition,
}

#[derive(Debug, Default)]
struct Local {
    user: Option<User>,
    group: Option<Group>,
    groups: Option<ListTemplate>,
    group_ids: Option<ListTemplate>,
    projects: Option<Vec<Project>>,
    /// The hole whose values are lists of projects in JSON.
    projects_json: Option<usize>,
    domain: Option<Domain>,
}

#[derive(Debug)]
struct User {
    kind: UserKind,
    id: Option<Template>,
    name: Option<Template>,
    email: Option<Template>,
    domain: Option<Domain>,
}

#[derive(Debug)]
enum Group {
    Id(Template),
    Name { name: Template, domain: Domain },
}

#[derive(Debug)]
struct Project {
    name: Template,
    domain: Option<Domain>,
    roles: Vec<Template>,
}

#[derive(Debug)]
enum Domain {
    Id(Template),
    Name(Template),
}
