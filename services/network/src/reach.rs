// SPDX-License-Identifier: Apache-2.0
//! How far a caller reaches among things that belong to projects.

use access::Scope;
use store::Select;

/// How far a scope reaches among things that belong to projects.
pub enum Reach<'a> {
    All,
    Project(&'a str),
    /// A token for a domain, say: nothing here belongs to one.
    Nothing,
}

pub fn reach(scope: &Scope) -> Reach<'_> {
    match scope {
        Scope::All => Reach::All,
        scope => scope.project().map_or(Reach::Nothing, |project| Reach::Project(project.as_str())),
    }
}

/// Keeps the rows within the scope; `condition` ends where the project's id belongs.
pub fn within(select: Select, scope: &Scope, condition: &'static str) -> Select {
    match reach(scope) {
        Reach::All => select,
        Reach::Project(project) => select.scope(condition, project),
        Reach::Nothing => select.condition("1 = 0"),
    }
}
