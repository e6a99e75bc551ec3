// SPDX-License-Identifier: Apache-2.0
//! The lines of `/v3/role_assignments`, found by the database: what was asked for narrows the statement, so that a
//! question about one user or one project does not read everybody's.
//!
//! Invariant: a list costs the same number of statements whatever is in the tables (test:
//! `a_list_of_assignments_costs_a_constant_number_of_statements`).

use std::fmt::Write;

use access::Scope;
use store::{Row, Tx, Value};
use types::{DomainId, GroupId, ProjectId, RoleId, UserId};

use super::{Assignment, Holder, Place};
use crate::{error::Result, role::table::AllRoles};

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub user: Option<UserId>,
    pub group: Option<GroupId>,
    pub role: Option<RoleId>,
    pub project: Option<ProjectId>,
    pub domain: Option<DomainId>,
    pub system: bool,
    pub inherited_only: bool,
    pub effective: bool,
    pub names: bool,
    pub subtree: bool,
}

/// One line of the answer, with where it came from.
#[derive(Debug, Clone)]
pub struct Line {
    pub assignment: Assignment,
    /// As it was given; differs from the above where groups, the tree or an implication came between.
    pub given: Assignment,
    pub holder: Option<Named>,
    pub place: Option<Named>,
    /// The name of the domain whose own the role is.
    pub role_domain: Option<String>,
}

/// A name, and the domain in which it is one. Of a domain's own name there is none.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub domain: Option<(DomainId, String)>,
}

/// The lines that a caller of this scope may see.
pub fn find(tx: &mut Tx, scope: &Scope, wanted: &Wanted, roles: &AllRoles) -> Result<Vec<Line>> {
    let (sql, values) = if wanted.effective { effective(scope, wanted, roles) } else { given(scope, wanted) };
    let found: Vec<Line> = tx.query(&sql, &values)?.iter().map(read).collect::<Result<_>>()?;
    if !wanted.effective {
        return Ok(found);
    }
    let mut seen = std::collections::HashSet::new();
    let implied = found.iter().flat_map(|line| {
        let roles = roles.closure([line.given.role.clone()]).into_iter().filter(|id| is_told(roles, id));
        let wanted = roles.filter(|id| wanted.role.as_ref().is_none_or(|role| role == id));
        wanted.map(|role| Line { assignment: Assignment { role, ..line.assignment.clone() }, ..line.clone() })
    });
    Ok(implied.filter(|line| seen.insert(line.assignment.clone())).collect())
}

/// A domain's own role is a name for those that it implies.
fn is_told(roles: &AllRoles, id: &RoleId) -> bool {
    roles.by_id.get(id).is_some_and(|role| role.domain_id.is_none())
}

/// SQL under construction, with its values.
#[derive(Default)]
struct Text {
    sql: String,
    values: Vec<Value>,
}

impl Text {
    fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn value(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let _ = write!(self.sql, "${}", self.values.len());
        self
    }

    fn values(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        self.push("(");
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.value(value);
        }
        self.push(")")
    }

    /// The projects in question: the one that is asked for, and with a subtree those below it.
    fn projects_in_question(&mut self, project: &ProjectId, subtree: bool) -> &mut Self {
        self.push("asked (id) AS (SELECT id FROM projects WHERE id = ").value(project);
        if subtree {
            self.push(" UNION SELECT p.id FROM projects p JOIN asked ON p.parent_id = asked.id");
        }
        self.push("), ")
    }

    /// What the caller's own scope leaves of the lines.
    fn within(&mut self, scope: &Scope) -> &mut Self {
        match scope {
            Scope::All => self,
            Scope::Domain(domain) => {
                self.push(" AND (l.place_kind = 'domain' AND l.place_id = ").value(domain);
                self.push(" OR l.place_kind = 'project' AND p.domain_id = ").value(domain).push(")")
            }
            Scope::Project(_) | Scope::User { .. } => self.push(" AND 1 = 0"),
        }
    }

    /// The lines with their names, from the table expression `lines`.
    fn named(&mut self, scope: &Scope) -> &mut Self {
        self.push(
            " SELECT l.actor_kind, l.actor_id, l.user_id, l.target_kind, l.target_id, l.role_id, l.inherited, \
             l.place_kind, l.place_id, coalesce(u.name, g.name), hd.id, hd.name, coalesce(p.name, d.name), pd.id, pd.name, rd.name \
             FROM lines l \
             LEFT JOIN users u ON u.id = l.user_id \
             LEFT JOIN user_groups g ON l.actor_kind = 'group' AND l.user_id IS NULL AND g.id = l.actor_id \
             LEFT JOIN domains hd ON hd.id = coalesce(u.domain_id, g.domain_id) \
             LEFT JOIN projects p ON l.place_kind = 'project' AND p.id = l.place_id \
             LEFT JOIN domains pd ON pd.id = p.domain_id \
             LEFT JOIN domains d ON l.place_kind = 'domain' AND d.id = l.place_id \
             LEFT JOIN roles r ON r.id = l.role_id \
             LEFT JOIN domains rd ON rd.id = r.domain_id \
             WHERE 1 = 1",
        );
        self.within(scope).push(" ORDER BY l.actor_id, l.role_id, l.place_kind, l.place_id, l.user_id, l.target_id")
    }
}

/// Assignments as they were given.
fn given(scope: &Scope, wanted: &Wanted) -> (String, Vec<Value>) {
    let mut text = Text::default();
    text.push("WITH RECURSIVE ");
    if let Some(project) = &wanted.project {
        text.projects_in_question(project, wanted.subtree);
    }
    text.push(
        "lines AS (SELECT a.actor_kind, a.actor_id, CASE a.actor_kind WHEN 'user' THEN a.actor_id END AS user_id, \
         a.target_kind, a.target_id, a.role_id, a.inherited, a.target_kind AS place_kind, a.target_id AS place_id \
         FROM role_assignments a WHERE 1 = 1",
    );
    if let Some(user) = &wanted.user {
        text.push(" AND a.actor_kind = 'user' AND a.actor_id = ").value(user);
    }
    if let Some(group) = &wanted.group {
        text.push(" AND a.actor_kind = 'group' AND a.actor_id = ").value(group);
    }
    if let Some(role) = &wanted.role {
        text.push(" AND a.role_id = ").value(role);
    }
    if wanted.inherited_only {
        text.push(" AND a.inherited = 1");
    }
    if wanted.project.is_some() {
        text.push(" AND a.target_kind = 'project' AND a.target_id IN (SELECT id FROM asked)");
    }
    if let Some(domain) = &wanted.domain {
        text.push(" AND a.target_kind = 'domain' AND a.target_id = ").value(domain);
    }
    if wanted.system {
        text.push(" AND a.target_kind = 'system'");
    }
    text.push(")").named(scope);
    (text.sql, text.values)
}

/// Assignments as they come out: for each member of a group, and in each project that they reach. Implied roles are
/// added by [`find`], who has all roles at hand.
fn effective(scope: &Scope, wanted: &Wanted, roles: &AllRoles) -> (String, Vec<Value>) {
    let mut text = Text::default();
    text.push("WITH RECURSIVE ");
    if let Some(project) = &wanted.project {
        text.projects_in_question(project, wanted.subtree);
        // Each project in question with those above it, from which it inherits.
        text.push(
            "tree (above, id) AS (
                 SELECT p.parent_id, p.id FROM projects p JOIN asked ON asked.id = p.id WHERE p.parent_id IS NOT NULL
                 UNION SELECT p.parent_id, tree.id FROM projects p JOIN tree ON p.id = tree.above WHERE p.parent_id IS NOT NULL
             ), ",
        );
    }
    held(&mut text, wanted, roles);
    if wanted.project.is_none() {
        // Each place from which something is inherited with the projects below it.
        text.push(
            "tree (above, id) AS (
                 SELECT p.parent_id, p.id FROM projects p
                 WHERE p.parent_id IN (SELECT target_id FROM held WHERE target_kind = 'project' AND inherited = 1)
                 UNION SELECT tree.above, p.id FROM projects p JOIN tree ON p.parent_id = tree.id
             ), ",
        );
    }
    let asked = if wanted.project.is_some() { " AND p.id IN (SELECT id FROM asked)" } else { "" };
    text.push("lines AS (SELECT h.*, h.target_kind AS place_kind, h.target_id AS place_id FROM held h WHERE h.inherited = 0");
    if wanted.project.is_some() {
        text.push(" AND h.target_kind = 'project' AND h.target_id IN (SELECT id FROM asked)");
    }
    if wanted.domain.is_none() && !wanted.system {
        text.push(
            " UNION ALL SELECT h.*, 'project', p.id FROM held h JOIN projects p ON p.domain_id = h.target_id \
             WHERE h.target_kind = 'domain' AND h.inherited = 1",
        );
        text.push(asked);
        text.push(
            " UNION ALL SELECT h.*, 'project', tree.id FROM held h JOIN tree ON tree.above = h.target_id \
             WHERE h.target_kind = 'project' AND h.inherited = 1",
        );
    }
    text.push(")").named(scope);
    (text.sql, text.values)
}

/// The assignments that can come out as asked, one for each user who has them.
fn held(text: &mut Text, wanted: &Wanted, roles: &AllRoles) {
    text.push(
        "held AS (SELECT a.actor_kind, a.actor_id, coalesce(m.user_id, a.actor_id) AS user_id, a.target_kind, a.target_id, \
         a.role_id, a.inherited FROM role_assignments a \
         LEFT JOIN group_members m ON a.actor_kind = 'group' AND m.group_id = a.actor_id \
         WHERE (a.actor_kind = 'user' OR m.user_id IS NOT NULL)",
    );
    if let Some(user) = &wanted.user {
        text.push(" AND (a.actor_kind = 'user' AND a.actor_id = ").value(user);
        text.push(" OR a.actor_kind = 'group' AND a.actor_id IN (SELECT group_id FROM group_members WHERE user_id = ");
        text.value(user).push(") AND m.user_id = ").value(user).push(")");
    }
    if let Some(role) = &wanted.role {
        // Whatever implies the role.
        let priors = roles.by_id.keys().filter(|id| roles.closure([(*id).clone()]).contains(role));
        let mut priors: Vec<&RoleId> = priors.collect();
        priors.sort();
        priors.push(role);
        text.push(" AND a.role_id IN ").values(priors.into_iter().map(Value::from));
    }
    if wanted.inherited_only {
        text.push(" AND a.inherited = 1");
    }
    if wanted.project.is_some() {
        text.push(
            " AND (a.target_kind = 'project' AND a.inherited = 0 AND a.target_id IN (SELECT id FROM asked) \
             OR a.target_kind = 'project' AND a.inherited = 1 AND a.target_id IN (SELECT above FROM tree) \
             OR a.target_kind = 'domain' AND a.inherited = 1 AND a.target_id IN \
             (SELECT domain_id FROM projects WHERE id IN (SELECT id FROM asked)))",
        );
    }
    if let Some(domain) = &wanted.domain {
        text.push(" AND a.target_kind = 'domain' AND a.inherited = 0 AND a.target_id = ").value(domain);
    }
    if wanted.system {
        text.push(" AND a.target_kind = 'system' AND a.inherited = 0");
    }
    text.push("), ");
}

fn read(row: &Row) -> Result<Line> {
    let holder_id: String = row.get(1)?;
    let given = Assignment {
        holder: match row.get::<&str>(0)? {
            "group" => Holder::Group(holder_id.into()),
            _ => Holder::User(holder_id.into()),
        },
        place: place(row.get(3)?, row.get(4)?),
        role: row.get(5)?,
        inherited: row.get(6)?,
    };
    let user: Option<UserId> = row.get(2)?;
    let place = place(row.get(7)?, row.get(8)?);
    Ok(Line {
        assignment: Assignment {
            holder: user.map_or_else(|| given.holder.clone(), Holder::User),
            // What comes out in a place by inheritance holds there.
            inherited: given.inherited && given.place == place,
            place,
            role: given.role.clone(),
        },
        holder: named(row, 9)?,
        place: named(row, 12)?,
        role_domain: row.get(15)?,
        given,
    })
}

/// A name, and id and name of its domain, from this column on.
fn named(row: &Row, column: usize) -> Result<Option<Named>> {
    let Some(name) = row.get::<Option<String>>(column)? else { return Ok(None) };
    let domain: Option<DomainId> = row.get(column + 1)?;
    let domain_name: Option<String> = row.get(column + 2)?;
    Ok(Some(Named { name, domain: domain.zip(domain_name) }))
}

fn place(kind: &str, id: String) -> Place {
    match kind {
        "project" => Place::Project(id.into()),
        "domain" => Place::Domain(id.into()),
        _ => Place::System,
    }
}
