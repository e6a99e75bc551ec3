// SPDX-License-Identifier: Apache-2.0
//! The table of rules, and the questions asked of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use contracts::caller::{Caller, TokenScope};
use types::DomainId;

use crate::{
    allowed::{Allowed, Scope},
    denied::Denied,
    policy::{
        Policy,
        attribute::Attribute,
        check::{Answer, Check, Evaluation, Facts, Text},
        parse::{self, Complaint, Parsed},
    },
    reach,
    target::{ClassOfTargets, Target},
};

/// All rules in force. It does not change: after an edit of `policy.yaml` the caller makes a new one and swaps it in.
pub struct Enforcer {
    names: HashMap<String, usize>,
    texts: Vec<String>,
    checks: Vec<Check>,
    problems: Vec<Problem>,
    /// In small letters, for roles are compared without regard to that.
    far_reaching: HashSet<String>,
}

/// Why there is no enforcer: a default that cannot be read, or a file that is no policy file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("the default of {name} cannot be read")]
    BadDefault { name: &'static str, source: Complaint },
    #[error("{0} has two different defaults")]
    TwoDefaults(&'static str),
    #[error("the rules {0} refer to each other in a circle")]
    Circle(String),
    #[error("policy.yaml is not a mapping of names to rules")]
    NotAMapping,
    #[error("policy.yaml cannot be read")]
    Yaml(#[from] serde_yaml_ng::Error),
}

/// Something in `policy.yaml` that the operator should hear about. The rule in question denies, or is ignored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("{name} cannot be read in full, and what cannot be read denies: {source}")]
    Unreadable { name: String, source: Complaint },
    #[error("{name} refers to itself and therefore denies everybody")]
    RefersToItself { name: String },
    #[error("{name} is neither a policy of this cloud nor used by one: it has no effect")]
    Unknown { name: String },
}

/// Roles in the order in which one asks for them: each with those that it implies.
const LADDER: [(&str, &[&str]); 5] = [
    ("reader", &["reader"]),
    ("member", &["member", "reader"]),
    ("manager", &["manager", "member", "reader"]),
    ("admin", &["admin", "manager", "member", "reader"]),
    ("service", &["service"]),
];

impl Enforcer {
    /// `rules` are the named rules that the policies lean on; `overrides` is the text of `policy.yaml`.
    pub fn new(
        policies: &[&'static Policy],
        rules: &[(&'static str, &'static str)],
        overrides: Option<&str>,
    ) -> Result<Self, PolicyError> {
        let mut defaults: Vec<(&'static str, &'static str)> = vec![];
        let mut seen: HashMap<&'static str, &'static str> = HashMap::new();
        for (name, text) in rules.iter().copied().chain(policies.iter().map(|policy| (policy.name, policy.check))) {
            match seen.insert(name, text) {
                None => defaults.push((name, text)),
                Some(earlier) if earlier == text => {}
                Some(_) => return Err(PolicyError::TwoDefaults(name)),
            }
        }
        let overrides = read_overrides(overrides)?;

        let mut names: HashMap<String, usize> =
            defaults.iter().enumerate().map(|(i, (name, _))| ((*name).to_owned(), i)).collect();
        for (name, _) in &overrides {
            let next = names.len();
            names.entry(name.clone()).or_insert(next);
        }
        let find = |name: &str| names.get(name).or_else(|| names.get("default")).copied();

        let mut texts = vec![String::new(); names.len()];
        let mut checks = vec![Check::Never; names.len()];
        for (i, (name, text)) in defaults.iter().enumerate() {
            texts[i] = (*text).to_owned();
            let parsed = parse::rule(text, &find);
            if let Some(source) = parsed.complaints.into_iter().next() {
                return Err(PolicyError::BadDefault { name, source });
            }
            checks[i] = parsed.check;
        }
        let circle = names_of_circle(&names, &checks);
        if !circle.is_empty() {
            return Err(PolicyError::Circle(circle.join(", ")));
        }

        let mut problems = vec![];
        for (name, rule) in &overrides {
            let i = names[name];
            texts[i] = rule_text(rule);
            let parsed = parse_value(rule, &find);
            checks[i] = parsed.check;
            problems.extend(parsed.complaints.into_iter().map(|source| Problem::Unreadable { name: name.clone(), source }));
        }
        let used = used_rules(&checks);
        for name in names_of_circle(&names, &checks) {
            checks[names[&name]] = Check::Never;
            problems.push(Problem::RefersToItself { name });
        }
        for (name, _) in &overrides {
            let i = names[name];
            if i >= defaults.len() && !used.contains(&i) && name != "default" {
                problems.push(Problem::Unknown { name: name.clone() });
            }
        }
        for problem in &problems {
            match problem {
                Problem::Unknown { .. } => tracing::warn!(%problem, "policy.yaml"),
                Problem::Unreadable { .. } | Problem::RefersToItself { .. } => tracing::error!(%problem, "policy.yaml"),
            }
        }
        let mut enforcer = Self { names, texts, checks, problems, far_reaching: HashSet::new() };
        enforcer.far_reaching = reach::far_reaching(&enforcer, policies);
        Ok(enforcer)
    }

    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The rule in force under a name, for the operator who asks which.
    pub fn rule(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(|i| self.texts[*i].as_str())
    }

    /// What the rule in force asks of its target: `project_id`, `target.user.domain_id` and the like.
    pub fn facts_asked(&self, policy: &'static Policy) -> BTreeSet<String> {
        let mut facts = BTreeSet::new();
        let mut waiting: Vec<usize> = self.names.get(policy.name).copied().into_iter().collect();
        while let Some(i) = waiting.pop() {
            self.checks[i].facts_asked(&mut facts);
            references(&self.checks[i], &mut |next| waiting.push(next));
        }
        facts
    }

    /// Whether a role, given in one project, opens things of others, by the rules in force: `admin` and `service` do, and
    /// what an operator's own rules say so of. Whoever has such a role has it everywhere.
    pub fn reaches_far(&self, role: &str) -> bool {
        self.far_reaching.contains(&role.to_ascii_lowercase())
    }

    /// The names of roles that any rule asks for.
    pub(crate) fn roles_asked(&self) -> BTreeSet<String> {
        let mut roles = BTreeSet::new();
        self.checks.iter().for_each(|check| roles_asked(check, &mut roles));
        roles
    }

    /// May the caller do this to this one thing? The yes is bound to it, and is what the table asks for that changes it.
    pub fn allow<T>(&self, policy: &'static Policy, caller: &Caller, target: &Target, thing: T) -> Result<Allowed<T>, Denied> {
        self.check(policy, caller, target)?;
        Ok(Allowed::new(thing, policy.name))
    }

    /// The same for a question after which nothing is changed.
    pub fn check(&self, policy: &'static Policy, caller: &Caller, target: &Target) -> Result<(), Denied> {
        if self.answer(policy, caller, target, &[]) == Answer::Yes {
            return Ok(());
        }
        let missing_role = LADDER.iter().find(|(_, roles)| self.answer(policy, caller, target, roles) == Answer::Yes);
        Err(self.denied(policy, caller, missing_role.map(|(name, _)| *name)))
    }

    /// To which things may the caller do this? The widest class of which the rule holds throughout.
    pub fn scope(&self, policy: &'static Policy, caller: &Caller) -> Result<Allowed<Scope>, Denied> {
        if let Some(scope) = self.widest(policy, caller, &[]) {
            return Ok(Allowed::new(scope, policy.name));
        }
        let missing_role = LADDER.iter().find(|(_, roles)| self.widest(policy, caller, roles).is_some());
        Err(self.denied(policy, caller, missing_role.map(|(name, _)| *name)))
    }

    pub(crate) fn widest(&self, policy: &'static Policy, caller: &Caller, further_roles: &[&str]) -> Option<Scope> {
        let holds = |class: &ClassOfTargets<'_>| self.answer(policy, caller, class, further_roles) == Answer::Yes;
        let user = Some(&caller.user.id);
        let project = caller.project_id();
        let domain = own_domain(caller);

        if holds(&ClassOfTargets::default()) {
            return Some(Scope::All);
        }
        if holds(&ClassOfTargets { domain: Some(domain), ..Default::default() }) {
            return Some(Scope::Domain(domain.clone()));
        }
        if let Some(own) = project
            && holds(&ClassOfTargets { project, ..Default::default() })
        {
            return Some(Scope::Project(own.clone()));
        }
        if holds(&ClassOfTargets { user, ..Default::default() }) {
            return Some(Scope::User { user: caller.user.id.clone(), project: None });
        }
        if let Some(own) = project
            && holds(&ClassOfTargets { user, project, ..Default::default() })
        {
            return Some(Scope::User { user: caller.user.id.clone(), project: Some(own.clone()) });
        }
        None
    }

    fn answer(&self, policy: &'static Policy, caller: &Caller, target: &impl Facts, further_roles: &[&str]) -> Answer {
        if !policy.scopes.admit(&caller.scope) {
            return Answer::No;
        }
        let Some(check) = self.names.get(policy.name).map(|i| &self.checks[*i]) else {
            tracing::error!(policy = policy.name, "a policy is asked that the enforcer was not given; it denies");
            return Answer::No;
        };
        Evaluation { caller, target, rules: &self.checks, further_roles }.answer(check)
    }

    fn denied(&self, policy: &'static Policy, caller: &Caller, missing_role: Option<&'static str>) -> Denied {
        Denied {
            policy: policy.name,
            rule: self.rule(policy.name).unwrap_or("!").to_owned(),
            roles: caller.roles.iter().map(|role| role.name.clone()).collect(),
            scope: match &caller.scope {
                TokenScope::Project(project) => format!("project {}", project.name),
                TokenScope::Domain(domain) => format!("domain {}", domain.name),
                TokenScope::System => "the system".to_owned(),
                TokenScope::Unscoped => "no project".to_owned(),
            },
            missing_role: missing_role.filter(|_| caller.scope != TokenScope::Unscoped),
            wrong_scope: Some(policy.scopes).filter(|scopes| !scopes.admit(&caller.scope)),
        }
    }
}

/// The domain whose things a rule about "the own domain" can mean.
fn own_domain(caller: &Caller) -> &DomainId {
    match &caller.scope {
        TokenScope::Domain(domain) => &domain.id,
        TokenScope::Project(project) => &project.domain.id,
        TokenScope::Unscoped | TokenScope::System => &caller.user.domain.id,
    }
}

fn read_overrides(text: Option<&str>) -> Result<Vec<(String, serde_yaml_ng::Value)>, PolicyError> {
    let value: serde_yaml_ng::Value = match text {
        Some(text) => serde_yaml_ng::from_str(text)?,
        None => return Ok(vec![]),
    };
    let mapping = match value {
        serde_yaml_ng::Value::Null => return Ok(vec![]),
        serde_yaml_ng::Value::Mapping(mapping) => mapping,
        _ => return Err(PolicyError::NotAMapping),
    };
    mapping.into_iter().map(|(name, rule)| Ok((name.as_str().ok_or(PolicyError::NotAMapping)?.to_owned(), rule))).collect()
}

fn parse_value(rule: &serde_yaml_ng::Value, names: parse::Names<'_>) -> Parsed {
    match rule {
        serde_yaml_ng::Value::String(text) => parse::rule(text, names),
        serde_yaml_ng::Value::Sequence(list) => parse::list(list, names),
        _ => Parsed::deny(Complaint::NotARule),
    }
}

fn rule_text(rule: &serde_yaml_ng::Value) -> String {
    match rule.as_str() {
        Some(text) => text.to_owned(),
        None => serde_json::to_string(rule).unwrap_or_default(),
    }
}

fn references(check: &Check, visit: &mut dyn FnMut(usize)) {
    match check {
        Check::Rule(i) => visit(*i),
        Check::Not(inner) => references(inner, visit),
        Check::All(checks) | Check::Any(checks) => checks.iter().for_each(|check| references(check, visit)),
        Check::Always
        | Check::Never
        | Check::Unreadable
        | Check::Role(_)
        | Check::Caller { .. }
        | Check::Literal { .. }
        | Check::Field { .. } => {}
    }
}

fn roles_asked(check: &Check, roles: &mut BTreeSet<String>) {
    match check {
        Check::Role(Text::Fixed(name)) | Check::Caller { attribute: Attribute::RoleNames, equals: Text::Fixed(name) } => {
            roles.insert(name.to_ascii_lowercase());
        }
        Check::Not(inner) => roles_asked(inner, roles),
        Check::All(checks) | Check::Any(checks) => checks.iter().for_each(|check| roles_asked(check, roles)),
        Check::Always
        | Check::Never
        | Check::Unreadable
        | Check::Rule(_)
        | Check::Role(_)
        | Check::Caller { .. }
        | Check::Literal { .. }
        | Check::Field { .. } => {}
    }
}

fn used_rules(checks: &[Check]) -> HashSet<usize> {
    let mut used = HashSet::new();
    checks.iter().for_each(|check| references(check, &mut |i| _ = used.insert(i)));
    used
}

/// The names of rules that reach themselves, sorted.
fn names_of_circle(names: &HashMap<String, usize>, checks: &[Check]) -> Vec<String> {
    let reaches_itself = |start: usize| {
        let mut reached = HashSet::new();
        let mut waiting = vec![start];
        while let Some(i) = waiting.pop() {
            references(&checks[i], &mut |next| {
                if reached.insert(next) {
                    waiting.push(next);
                }
            });
        }
        reached.contains(&start)
    };
    let mut circle: Vec<String> = names.iter().filter(|(_, i)| reaches_itself(**i)).map(|(name, _)| name.clone()).collect();
    circle.sort();
    circle
}
