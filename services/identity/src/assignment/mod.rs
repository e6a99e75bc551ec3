// SPDX-License-Identifier: Apache-2.0
//! Who has which role where.

pub mod effective;
pub mod grants;
mod lines;
pub mod list;
pub mod policies;
pub mod table;
#[cfg(test)]
mod tests;

use types::{DomainId, GroupId, ProjectId, RoleId, UserId};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("assignment", routes).rules(policies::RULES);

fn routes() -> ::api::Routes<crate::Identity> {
    grants::routes().join(list::routes())
}

/// Who a role is given to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    User(UserId),
    Group(GroupId),
}

/// Where a role holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    Project(ProjectId),
    Domain(DomainId),
    System,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Assignment {
    pub holder: Holder,
    pub place: Place,
    pub role: RoleId,
    /// Holds for the projects below the place, not for the place itself.
    pub inherited: bool,
}

impl Holder {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::Group(id) => id.as_str(),
        }
    }
}

impl Place {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Project(_) => "project",
            Self::Domain(_) => "domain",
            Self::System => "system",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Project(id) => id.as_str(),
            Self::Domain(id) => id.as_str(),
            Self::System => "all",
        }
    }
}
