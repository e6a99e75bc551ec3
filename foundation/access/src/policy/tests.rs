// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! The language, in tables: a rule, who asks, of what, and the answer that oslo.policy gives.

use contracts::caller::{Caller, DomainFacts, ProjectFacts, RoleFacts, TokenFacts, TokenScope, UserFacts};
use types::{ProjectId, Timestamp};

use crate::{Allowed, BASE_RULES, Enforcer, Policy, PolicyError, Problem, Scope, Target};

fn domain(id: &str) -> DomainFacts {
    DomainFacts { id: id.into(), name: format!("name of {id}") }
}

fn caller(scope: TokenScope, roles: &[&str]) -> Caller {
    Caller {
        user: UserFacts { id: "alice".into(), name: "Alice".into(), domain: domain("home") },
        scope,
        roles: roles.iter().map(|name| RoleFacts { id: format!("id-{name}").into(), name: (*name).into() }).collect(),
        token: TokenFacts {
            methods: vec!["password".into()],
            issued_at: Timestamp(0),
            expires_at: Timestamp(1),
            audit_ids: vec![],
        },
        access_rules: None,
    }
}

fn in_project(roles: &[&str]) -> Caller {
    let project = ProjectFacts { id: "mine".into(), name: "My project".into(), domain: domain("corp") };
    caller(TokenScope::Project(project), roles)
}

fn in_domain(roles: &[&str]) -> Caller {
    caller(TokenScope::Domain(domain("corp")), roles)
}

/// Policies live for as long as the program; a test's are leaked to do the same.
fn policy(check: &str) -> &'static Policy {
    let check: &'static str = Box::leak(check.to_owned().into_boxed_str());
    Box::leak(Box::new(Policy::new("test:policy", check, "A rule under test").also_for_domains()))
}

fn enforcer(policy: &'static Policy) -> Enforcer {
    Enforcer::new(&[policy], BASE_RULES, None).unwrap()
}

fn says(check: &str, caller: &Caller, target: &Target) -> bool {
    let policy = policy(check);
    enforcer(policy).check(policy, caller, target).is_ok()
}

fn scope(check: &str, caller: &Caller) -> Option<Scope> {
    let policy = policy(check);
    enforcer(policy).scope(policy, caller).ok().map(|allowed| allowed.scope().clone())
}

fn overridden(yaml: &str) -> Enforcer {
    static POLICY: Policy = OVERRIDDEN;
    Enforcer::new(&[&POLICY], BASE_RULES, Some(yaml)).unwrap()
}
static OVERRIDDEN: Policy = Policy::new("test:policy", "role:member", "A rule that the operator changes");

#[test]
fn precedence_and_parentheses() {
    let who = in_project(&["member"]);
    let table = [
        ("", true),
        ("@", true),
        ("!", false),
        ("not !", true),
        ("not not @", true),
        ("@ or ! and !", true),
        ("(@ or !) and !", false),
        ("! and ! or @", true),
        ("! and (! or @)", false),
        ("not ! and !", false),
        ("not (! and !)", true),
        ("@ or @ and ! or !", true),
        ("((@))", true),
        ("( @ and ( not ! ) )", true),
        ("@ AND Not !", true),
    ];
    for (check, expected) in table {
        assert_eq!(says(check, &who, &Target::new()), expected, "«{check}»");
    }
}

#[test]
fn checks_of_caller_and_target() {
    let who = in_project(&["Member", "reader"]);
    let target = Target::in_project(&"mine".into())
        .with("user_id", "alice")
        .with("target.user.domain_id", "home")
        .with("target.role.name", "member")
        .with("enabled", "True")
        .with("shared", "True")
        .with("weird", "100%")
        .with_optional("parent", None::<String>);
    let table = [
        // Roles are compared without regard to case.
        ("role:member", true),
        ("role:MEMBER", true),
        ("role:admin", false),
        ("role:%(target.role.name)s", true),
        ("role:%(nothing)s", false),
        // Attributes of the caller.
        ("project_id:%(project_id)s", true),
        ("tenant_id:%(tenant_id)s", true),
        ("project_id:mine", true),
        ("project_id:%(user_id)s", false),
        ("user_id:%(user_id)s", true),
        ("token.user.id:alice", true),
        ("user_domain_id:%(target.user.domain_id)s", true),
        ("token.project.domain.id:corp", true),
        ("system_scope:all", false),
        ("domain_id:%(target.user.domain_id)s", false),
        ("token.methods:password", true),
        ("roles:reader", true),
        ("is_admin:True", false),
        ("is_admin:False", true),
        // Literals, as Python prints them.
        ("True:%(enabled)s", true),
        ("'True':%(enabled)s", true),
        ("\"member\":%(target.role.name)s", true),
        ("False:%(enabled)s", false),
        ("true:True", false),
        ("007:7", true),
        ("None:%(parent)s", true),
        ("None:%(enabled)s", false),
        // A key that is not there fails, and so does None of it.
        ("None:%(nothing)s", false),
        ("not None:%(nothing)s", true),
        // Substitution within text, and the percent sign.
        ("user_domain_id:ho%(nothing)s", false),
        ("'100%':%(weird)s", true),
        ("'100%':100%%", true),
        ("'mine-alice':%(project_id)s-%(user_id)s", true),
        // Neutron's own.
        ("field:networks:shared=True", true),
        ("field:networks:shared=False", false),
        ("field:networks:nothing=True", false),
        // Named rules.
        ("rule:project_member_or_admin", true),
        ("rule:project_manager_api or rule:context_is_admin", false),
    ];
    for (check, expected) in table {
        // «true» is no attribute and no literal: it is refused when it stands in a default.
        if check.starts_with("true:") {
            let refused = Enforcer::new(&[policy(check)], &[], None);
            assert!(matches!(refused, Err(PolicyError::BadDefault { .. })));
            continue;
        }
        assert_eq!(says(check, &who, &target), expected, "«{check}»");
    }
}

#[test]
fn a_caller_without_a_project_does_not_own_what_has_no_project() {
    let nobody = caller(TokenScope::Unscoped, &["member"]);
    let ownerless = Target::new().with_optional("project_id", None::<String>);
    assert!(!says("project_id:%(project_id)s", &nobody, &ownerless));
    assert!(!says("project_id:%(project_id)s", &nobody, &Target::new().with("project_id", "None")));
    assert!(says("project_id:None", &nobody, &ownerless), "written so in the rule, it is meant so");
    assert!(says("not project_id:%(project_id)s", &nobody, &Target::in_project(&"mine".into())));
}

#[test]
fn scopes_follow_from_the_rule() {
    let member = in_project(&["member", "reader"]);
    let admin = in_project(&["admin", "manager", "member", "reader"]);
    let mine = || Some(Scope::Project("mine".into()));
    let own = |project: Option<&str>| Some(Scope::User { user: "alice".into(), project: project.map(Into::into) });
    let corp = || Some(Scope::Domain("corp".into()));
    let table = [
        ("", &member, Some(Scope::All)),
        ("!", &member, None),
        ("rule:project_member_or_admin", &member, mine()),
        ("rule:project_member_or_admin", &admin, Some(Scope::All)),
        ("rule:admin_api", &member, None),
        ("user_id:%(user_id)s", &member, own(None)),
        ("user_id:%(target.user.id)s", &member, own(None)),
        ("user_id:%(user_id)s and project_id:%(project_id)s", &member, own(Some("mine"))),
        ("role:member and user_id:%(user_id)s or rule:project_reader_api", &member, mine()),
        ("token.project.domain.id:%(target.domain.id)s", &member, corp()),
        // Nothing follows for a class of things from what holds of some of them.
        ("'special':%(project_id)s", &member, None),
        ("None:%(project_id)s", &member, None),
        ("field:networks:shared=True", &member, None),
        ("field:networks:shared=True or rule:project_reader_api", &member, mine()),
        // A negation narrows, whoever the class is.
        ("not project_id:%(project_id)s", &member, None),
        ("not 'special':%(project_id)s", &member, mine()),
        ("not None:%(parent)s", &member, None),
        ("not user_id:%(user_id)s and project_id:%(project_id)s", &member, None),
        ("role:admin and not 'secret':%(project_id)s", &admin, mine()),
    ];
    for (check, who, expected) in table {
        assert_eq!(scope(check, who), expected, "«{check}» for {:?}", who.roles);
    }
    assert_eq!(scope("role:reader and domain_id:%(target.domain_id)s", &in_domain(&["reader"])), corp());
    assert_eq!(scope("rule:project_reader_api", &in_domain(&["reader"])), None);
    assert_eq!(scope("role:reader and system_scope:all", &caller(TokenScope::System, &["reader"])), Some(Scope::All));
}

/// Over many rules, callers and targets: what a scope admits, the rule allows one by one.
#[test]
fn a_scope_never_admits_what_its_rule_refuses() {
    let atoms = [
        "role:member",
        "project_id:%(project_id)s",
        "user_id:%(user_id)s",
        "None:%(project_id)s",
        "'other':%(project_id)s",
        "domain_id:%(target.domain_id)s",
        "system_scope:all",
        "role:%(project_id)s",
        "@",
    ];
    let mut rules: Vec<String> = vec![];
    for a in atoms {
        for b in atoms {
            for rule in ["A and B", "A or B", "not A and B", "A or not B", "not (A and B)", "not (A or not B)"] {
                rules.push(rule.replace('A', a).replace('B', b));
            }
        }
    }
    let callers = [
        in_project(&["member", "reader"]),
        in_project(&[]),
        in_domain(&["member"]),
        caller(TokenScope::System, &["member"]),
        caller(TokenScope::Unscoped, &["member"]),
    ];
    let mut admitted = 0;
    for rule in &rules {
        let policy = policy(rule);
        let enforcer = enforcer(policy);
        for who in &callers {
            let Ok(allowed) = enforcer.scope(policy, who) else { continue };
            for project in ["mine", "other", "third", "member"].map(ProjectId::from) {
                for user in ["alice", "bob"] {
                    for domain in ["corp", "home"] {
                        let scope = allowed.scope();
                        if !scope.admits(&project, Some(&user.into())) && !scope.admits_domain(&domain.into()) {
                            continue;
                        }
                        let target = Target::in_project(&project).with("user_id", user).with("target.domain_id", domain);
                        assert!(enforcer.check(policy, who, &target).is_ok(), "«{rule}» {who:?} {scope:?} {target:?}");
                        admitted += 1;
                    }
                }
            }
        }
    }
    assert!(admitted > 1000, "only {admitted}");
}

#[test]
fn overrides_in_both_forms_take_effect() {
    let member = in_project(&["member"]);
    let auditor = in_project(&["auditor"]);
    for (yaml, for_member, for_auditor) in [
        ("", true, false),
        ("# only a comment\n", true, false),
        ("'test:policy': 'role:auditor'", false, true),
        ("'test:policy': ''", true, true),
        ("'test:policy': []", true, true),
        ("'test:policy': [[]]", false, false),
        ("'test:policy': [['role:auditor'], ['role:member', '!']]", false, true),
        ("'test:policy': ['role:auditor', 'role:member']", true, true),
        ("house_auditor: 'role:auditor'\n'test:policy': 'rule:house_auditor'", false, true),
        ("'test:policy': 'rule:house_auditor'\nhouse_auditor: 'role:auditor'", false, true),
    ] {
        let enforcer = overridden(yaml);
        assert_eq!(enforcer.problems(), [], "{yaml}");
        assert_eq!(enforcer.check(&OVERRIDDEN, &member, &Target::new()).is_ok(), for_member, "{yaml}");
        assert_eq!(enforcer.check(&OVERRIDDEN, &auditor, &Target::new()).is_ok(), for_auditor, "{yaml}");
    }
}

#[test]
fn what_cannot_be_read_denies_and_is_reported() {
    let member = in_project(&["member"]);
    for rule in [
        "role:member and",
        "(role:member",
        "role:member)",
        "role:member role:member",
        "and",
        "or role:member",
        "member",
        "'quoted'",
        "   ",
        "role:%(x",
        "role:%s",
        "rule:nowhere",
        "not rule:nowhere",
        "not favourite_colour:red",
        "http://example.org/check",
        "field:networks:shared",
        "rule:test:policy",
    ] {
        let enforcer = overridden(&serde_json::json!({ "test:policy": rule }).to_string());
        assert_eq!(enforcer.problems().len(), 1, "«{rule}»");
        assert!(enforcer.check(&OVERRIDDEN, &member, &Target::new()).is_err(), "«{rule}»");
        assert!(enforcer.scope(&OVERRIDDEN, &member).is_err(), "«{rule}»");
    }
    let deep = format!("{}role:member{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(overridden(&serde_json::json!({ "test:policy": deep }).to_string()).problems().len(), 1);

    let partly = overridden("'test:policy': 'favourite_colour:red or role:member'");
    assert_eq!(partly.problems().len(), 1);
    assert!(partly.check(&OVERRIDDEN, &member, &Target::new()).is_ok(), "the readable alternative still counts");
}

#[test]
fn names_that_nobody_uses_are_reported() {
    let enforcer = overridden("'test:polciy': 'role:admin'");
    assert_eq!(enforcer.problems(), [Problem::Unknown { name: "test:polciy".into() }]);
    assert!(matches!(Enforcer::new(&[], &[], Some("- a list")), Err(PolicyError::NotAMapping)));
    assert!(matches!(Enforcer::new(&[], &[], Some("a: [")), Err(PolicyError::Yaml(_))));
}

#[test]
fn circles_deny() {
    let enforcer = overridden("a: 'rule:b'\nb: 'rule:a or @'\n'test:policy': 'rule:a'");
    let names: Vec<_> = enforcer.problems().iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(enforcer.check(&OVERRIDDEN, &in_project(&["member"]), &Target::new()).is_err());
    assert!(matches!(Enforcer::new(&[], &[("a", "rule:b"), ("b", "rule:a")], None), Err(PolicyError::Circle(_))));
}

#[test]
fn a_refusal_says_what_would_help() {
    static CREATE: Policy = Policy::new("os_compute_api:servers:create", "rule:project_member_or_admin", "Create a server");
    static SECRET: Policy = Policy::new("test:nobody", "!", "Nobody may");
    let enforcer = Enforcer::new(&[&CREATE, &SECRET], BASE_RULES, None).unwrap();
    let reader = in_project(&["reader"]);
    assert_eq!(
        enforcer.check(&CREATE, &reader, &Target::in_project(&"mine".into())).unwrap_err().to_string(),
        "Policy doesn't allow os_compute_api:servers:create to be performed. \
         It needs the role member on project My project, where you have only reader."
    );
    assert_eq!(enforcer.scope(&CREATE, &reader).unwrap_err().missing_role, Some("member"));
    assert_eq!(enforcer.scope(&SECRET, &reader).unwrap_err().missing_role, None);
}

#[test]
fn narrowing_a_proof_never_widens_it() {
    let work = Allowed::for_work("reconcile servers");
    assert_eq!(work.in_project(&"mine".into()).unwrap().scope(), &Scope::Project("mine".into()));
    let policy = policy("rule:project_reader_api");
    let mine = enforcer(policy).scope(policy, &in_project(&["reader"])).unwrap();
    assert_eq!(mine.in_project(&"mine".into()), Some(mine.clone()));
    assert_eq!(mine.in_project(&"other".into()), None);
}

#[test]
fn a_role_counts_only_in_the_scopes_of_the_policy() {
    static SERVERS: Policy = Policy::new("os_compute_api:servers:index", "role:admin", "List servers");
    static REGIONS: Policy = Policy::new("identity:create_region", "role:admin", "Create a region");
    static USERS: Policy = Policy::new("identity:list_users", "role:admin", "List users").also_for_domains();
    static TRUSTS: Policy = Policy::new("identity:create_trust", "role:admin", "Create a trust").only_for_projects();
    let enforcer = Enforcer::new(&[&SERVERS, &REGIONS, &USERS, &TRUSTS], BASE_RULES, None).unwrap();
    let (project, domain, system) = (in_project(&["admin"]), in_domain(&["admin"]), caller(TokenScope::System, &["admin"]));
    for (policy, answers) in
        [(&SERVERS, [true, false, false]), (&REGIONS, [true, false, true]), (&USERS, [true; 3]), (&TRUSTS, [true, false, false])]
    {
        let asked = [&project, &domain, &system].map(|who| enforcer.check(policy, who, &Target::new()).is_ok());
        assert_eq!(asked, answers, "{}", policy.name);
        let asked = [&project, &domain, &system].map(|who| enforcer.scope(policy, who).is_ok());
        assert_eq!(asked, answers, "{}", policy.name);
    }
    assert_eq!(
        enforcer.check(&REGIONS, &domain, &Target::new()).unwrap_err().to_string(),
        "Policy doesn't allow identity:create_region to be performed. \
         It needs a token of another scope (project, system); yours is for domain name of corp."
    );
}

#[test]
fn roles_that_reach_far_are_found_in_the_rules() {
    static OWN: Policy = Policy::new("volume:get", "rule:project_reader_or_admin", "Show a volume");
    static TOKENS: Policy = Policy::new("identity:validate_token", "rule:service_or_admin", "Show what a token means");
    static NAMES: Policy = Policy::new("flavor:list", "role:reader or role:auditor", "List what everybody may see");
    static BACKUP: Policy = Policy::new("backup:export", "role:backup and project_id:%(project_id)s", "Export a backup");
    let policies = [&OWN, &TOKENS, &NAMES, &BACKUP];
    let rules = Enforcer::new(&policies, BASE_RULES, None).unwrap();
    for (role, far) in [
        ("admin", true),
        ("Admin", true),
        ("service", true),
        ("manager", false),
        ("member", false),
        ("reader", false),
        ("auditor", false),
        ("backup", false),
        ("nobody heard of it", false),
    ] {
        assert_eq!(rules.reaches_far(role), far, "{role}");
    }
    let own = Enforcer::new(&policies, BASE_RULES, Some("volume:get: rule:project_reader_api or role:helpdesk")).unwrap();
    assert!(own.reaches_far("helpdesk") && !own.reaches_far("backup"), "an operator's own rule says so of a role");
    let text = "backup:export: role:backup or 'x':%(x)s";
    assert!(Enforcer::new(&policies, BASE_RULES, Some(text)).unwrap().reaches_far("backup"));
}
