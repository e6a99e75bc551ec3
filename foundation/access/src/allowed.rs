// SPDX-License-Identifier: Apache-2.0
//! Authorization as a value: who holds an [`Allowed`] was allowed.

use types::{DomainId, ProjectId, UserId};

/// The proof that a caller may do what a policy guards. Only the enforcer makes one, and [`Allowed::for_work`] for
/// work that nobody asks for. `T` says how far it reaches: [`Scope`] for a class of things, else the very thing that was
/// asked about, its id or its row, and no other: a table takes from the proof what it is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed<T> {
    thing: T,
    to: &'static str,
}

/// Which things a caller may see or touch.
///
/// Invariant: a scope admits nothing that its rule would refuse (test: `a_scope_never_admits_what_its_rule_refuses`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    Domain(DomainId),
    Project(ProjectId),
    /// The user's own things: in one project where that is known, else wherever they are.
    User {
        user: UserId,
        project: Option<ProjectId>,
    },
}

impl<T> Allowed<T> {
    pub(crate) fn new(thing: T, to: &'static str) -> Self {
        Self { thing, to }
    }

    /// What one may touch.
    pub fn thing(&self) -> &T {
        &self.thing
    }

    pub fn into_thing(self) -> T {
        self.thing
    }

    /// The proof for the same thing under another name: the row that is found under an id, say.
    pub fn try_of<U, E>(&self, find: impl FnOnce(&T) -> Result<U, E>) -> Result<Allowed<U>, E> {
        Ok(Allowed::new(find(&self.thing)?, self.to))
    }

    /// The policy that said yes, or the name of the work.
    pub fn to(&self) -> &'static str {
        self.to
    }
}

impl Allowed<Scope> {
    pub fn scope(&self) -> &Scope {
        &self.thing
    }

    /// For reconcilers, which act for the cloud and not for a caller. The name tells a reader, and the log, which.
    pub fn for_work(name: &'static str) -> Self {
        Self::new(Scope::All, name)
    }

    /// The same proof for one project only, where it reaches that project at all: an administrator who lists the
    /// things of the project that the token is for.
    pub fn in_project(&self, project: &ProjectId) -> Option<Self> {
        let scope = match &self.thing {
            Scope::All => Scope::Project(project.clone()),
            Scope::Project(own) if own == project => self.thing.clone(),
            Scope::User { user, project: own } if own.as_ref().is_none_or(|own| own == project) => {
                Scope::User { user: user.clone(), project: Some(project.clone()) }
            }
            Scope::Domain(_) | Scope::Project(_) | Scope::User { .. } => return None,
        };
        Some(Self::new(scope, self.to))
    }

    /// The same proof for one domain at most: a list that is asked for with the token of a domain is of that domain, also
    /// where the caller could see the things of others one by one.
    #[must_use]
    pub fn at_most_domain(&self, domain: &DomainId) -> Self {
        match &self.thing {
            Scope::All => Self::new(Scope::Domain(domain.clone()), self.to),
            Scope::Domain(_) | Scope::Project(_) | Scope::User { .. } => self.clone(),
        }
    }
}

impl<T> Allowed<T> {
    /// As [`Allowed::for_work`], for one thing.
    pub fn for_work_on(name: &'static str, thing: T) -> Self {
        Self::new(thing, name)
    }
}

impl Scope {
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// The one project that this scope is confined to.
    pub fn project(&self) -> Option<&ProjectId> {
        match self {
            Self::Project(project) | Self::User { project: Some(project), .. } => Some(project),
            Self::All | Self::Domain(_) | Self::User { project: None, .. } => None,
        }
    }

    /// The one user that this scope is confined to.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User { user, .. } => Some(user),
            _ => None,
        }
    }

    pub fn domain(&self) -> Option<&DomainId> {
        match self {
            Self::Domain(domain) => Some(domain),
            _ => None,
        }
    }

    /// Whether a thing of this project, and of this user where things of its kind have one, is within. What is known
    /// by its domain only is not known to be: see [`Scope::admits_domain`].
    pub fn admits(&self, project: &ProjectId, user: Option<&UserId>) -> bool {
        match self {
            Self::All => true,
            Self::Domain(_) => false,
            Self::Project(own) => own == project,
            Self::User { user: own, project: own_project } => {
                user == Some(own) && own_project.as_ref().is_none_or(|own_project| own_project == project)
            }
        }
    }

    /// Whether all things of a domain are within.
    pub fn admits_domain(&self, domain: &DomainId) -> bool {
        match self {
            Self::All => true,
            Self::Domain(own) => own == domain,
            Self::Project(_) | Self::User { .. } => false,
        }
    }
}
