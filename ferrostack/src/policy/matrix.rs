// SPDX-License-Identifier: Apache-2.0
//! Routes × roles, evaluated by the enforcer itself.

use std::fmt;

use access::{Enforcer, Policy};
use api::{Access, Door, Route, Service};
use serde::Serialize;

use super::persona::{PERSONAS, Persona, Whose, target};

pub const LEGEND: &str = "\
any  he may, whoever's the thing is
own  he may if it is his: of his project, of his domain, or his as a user, as the rule says
-    he may not
?    any valid token reaches the handler, which asks nothing further

The first column is a request without a token.
The columns after it are roles on a project, on a domain, on the system, and the role of the cloud's own services.";

#[derive(Serialize)]
#[serde(transparent)]
pub struct Matrix {
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    service: &'static str,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    policy: Option<&'static str>,
    without_token: Verdict,
    #[serde(serialize_with = "by_name")]
    roles: Vec<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Any,
    Own,
    No,
    AnyToken,
}

impl Matrix {
    pub fn of(door: &Door, enforcer: &Enforcer) -> Self {
        let mut lines: Vec<Line> = door.routes().map(|(service, route)| line(service, route, enforcer)).collect();
        lines.sort_by(|a, b| (a.service, &a.path, &a.method, a.action).cmp(&(b.service, &b.path, &b.method, b.action)));
        Self { lines }
    }

    /// The lines of one service, or those that contain a text.
    #[must_use]
    pub fn only(self, service: Option<&str>, containing: Option<&str>) -> Self {
        let has = |line: &Line, text| line.path.contains(text) || line.policy.is_some_and(|policy| policy.contains(text));
        let wanted =
            |line: &Line| service.is_none_or(|service| line.service == service) && containing.is_none_or(|text| has(line, text));
        Self { lines: self.lines.into_iter().filter(wanted).collect() }
    }

    #[cfg(test)]
    pub fn verdict(&self, policy: &str, persona: &str) -> Option<Verdict> {
        let column = PERSONAS.iter().position(|known| known.name == persona)?;
        self.lines.iter().find(|line| line.policy == Some(policy)).map(|line| line.roles[column])
    }
}

fn line(service: &Service, route: &Route, enforcer: &Enforcer) -> Line {
    let line = |policy: Option<&'static str>, without_token, roles| Line {
        service: service.name,
        method: route.method.to_string(),
        path: format!("{}{}", service.prefix, route.path),
        action: route.action,
        policy,
        without_token,
        roles,
    };
    match route.access {
        Access::Policy(policy) | Access::Asks(policy) => {
            let roles = PERSONAS.iter().map(|persona| verdict(enforcer, policy, persona)).collect();
            line(Some(policy.name), Verdict::No, roles)
        }
        // Without a token that is what the owner of the thing says.
        Access::Open(policy) => {
            let roles = PERSONAS.iter().map(|persona| verdict(enforcer, policy, persona)).collect();
            line(Some(policy.name), Verdict::AnyToken, roles)
        }
        Access::Authenticated => line(None, Verdict::No, vec![Verdict::AnyToken; PERSONAS.len()]),
        Access::Public => line(None, Verdict::Any, vec![Verdict::Any; PERSONAS.len()]),
    }
}

fn verdict(enforcer: &Enforcer, policy: &'static Policy, persona: &Persona) -> Verdict {
    let caller = persona.caller();
    let may = |whose| enforcer.check(policy, &caller, &target(enforcer, policy, whose)).is_ok();
    match (may(Whose::Own), may(Whose::Others)) {
        (_, true) => Verdict::Any,
        (true, false) => Verdict::Own,
        (false, false) => Verdict::No,
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Own => "own",
            Self::No => "-",
            Self::AnyToken => "?",
        }
    }
}

/// One block a service; the names of the columns above each.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = |line: &Line| {
            let action = line.action.map(|action| format!(" {action}")).unwrap_or_default();
            format!("{:<6} {}{action}", line.method, line.path)
        };
        for block in self.lines.chunk_by(|a, b| a.service == b.service) {
            let width = block.iter().map(|line| title(line).chars().count()).max().unwrap_or_default();
            write!(f, "{:<width$}  no-token", block[0].service)?;
            for persona in &PERSONAS {
                write!(f, "  {}", persona.name)?;
            }
            writeln!(f, "  policy")?;
            for line in block {
                write!(f, "{:<width$}  {:<8}", title(line), line.without_token.word())?;
                for (persona, verdict) in PERSONAS.iter().zip(&line.roles) {
                    write!(f, "  {:<1$}", verdict.word(), persona.name.len())?;
                }
                writeln!(f, "  {}", line.policy.unwrap_or("(none)"))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn by_name<S: serde::Serializer>(roles: &[Verdict], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(PERSONAS.iter().map(|persona| persona.name).zip(roles))
}
