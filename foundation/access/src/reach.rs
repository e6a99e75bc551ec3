// SPDX-License-Identifier: Apache-2.0
//! How far a role reaches, read from the rules themselves.
//!
//! Most roles mean something in the place where they were given. Some are asked for without their place: who is `admin`
//! of any project is the cloud's. Who hands out roles within a domain must not hand out such a one, so it is asked of
//! the rules in force, an operator's own among them, which they are.
//!
//! Invariant: a role that opens another project's things counts as one that does (test: `roles_that_reach_far_are_found_in_the_rules`).

use std::collections::HashSet;

use contracts::caller::{Caller, DomainFacts, ProjectFacts, RoleFacts, TokenFacts, TokenScope, UserFacts};
use types::Timestamp;

use crate::{Enforcer, allowed::Scope, policy::Policy};

/// The roles of one who works in a project. What they open beyond it (names of flavors, public images) is everybody's.
const OF_A_PROJECT: [&str; 3] = ["manager", "member", "reader"];

/// A caller who is nobody, in a place that is nowhere unless `scope` says so, with these roles: to ask what they would open.
pub fn supposed<'a>(roles: impl IntoIterator<Item = &'a str>, scope: TokenScope) -> Caller {
    let nowhere = DomainFacts { id: NOBODYS.into(), name: NOBODYS.to_owned() };
    Caller {
        user: UserFacts { id: NOBODYS.into(), name: NOBODYS.to_owned(), domain: nowhere },
        scope,
        roles: roles.into_iter().map(|name| RoleFacts { id: name.into(), name: name.to_owned() }).collect(),
        token: TokenFacts { methods: vec![], issued_at: Timestamp(0), expires_at: Timestamp(0), audit_ids: vec![] },
        access_rules: None,
    }
}

/// No id of anything has a space in it.
const NOBODYS: &str = "(nobody's)";

/// The scope of a token for a project that there is not.
fn some_project() -> TokenScope {
    let domain = DomainFacts { id: "(a domain)".into(), name: "(a domain)".to_owned() };
    TokenScope::Project(ProjectFacts { id: "(a project)".into(), name: "(a project)".to_owned(), domain })
}

/// Of all roles that rules ask for, those which reach far.
pub(crate) fn far_reaching(enforcer: &Enforcer, policies: &[&'static Policy]) -> HashSet<String> {
    let usual = supposed(OF_A_PROJECT, some_project());
    // What is open to those anyway tells nothing of a further role.
    let telling: Vec<&'static Policy> = policies.iter().copied().filter(|policy| !opens_far(enforcer, policy, &usual)).collect();
    let reaches_far = |role: &String| {
        let caller = supposed(OF_A_PROJECT.into_iter().chain([role.as_str()]), some_project());
        telling.iter().any(|policy| opens_far(enforcer, policy, &caller))
    };
    enforcer.roles_asked().into_iter().filter(|role| !OF_A_PROJECT.contains(&role.as_str())).filter(reaches_far).collect()
}

fn opens_far(enforcer: &Enforcer, policy: &'static Policy, caller: &Caller) -> bool {
    matches!(enforcer.widest(policy, caller, &[]), Some(Scope::All | Scope::Domain(_)))
}
