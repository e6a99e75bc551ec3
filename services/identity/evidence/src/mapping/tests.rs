// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Assertion, MOST_VALUES, Mapped, MappedGroup, MappedProject, Rules, Unmapped, UserKind, Version};
use crate::DomainRef;

fn assertion(facts: Value) -> Assertion {
    let texts = |value: &Value| match value {
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    facts.as_object().unwrap().iter().map(|(name, value)| (name.clone(), texts(value))).collect()
}

fn rules(version: Version, rules: &Value) -> Rules {
    Rules::read(version, rules).unwrap_or_else(|cause| panic!("{cause}: {rules}"))
}

#[track_caller]
fn map(text: Value, facts: Value) -> Mapped {
    rules(Version::One, &text).apply(&assertion(facts)).unwrap()
}

fn fails(text: Value, facts: Value) -> Unmapped {
    rules(Version::One, &text).apply(&assertion(facts)).unwrap_err()
}

fn refused(text: Value) -> String {
    Rules::read(Version::One, &text).unwrap_err()
}

fn ids(mapped: &Mapped) -> Vec<&str> {
    mapped.group_ids.iter().map(|id| id.as_str()).collect()
}

fn names(mapped: &Mapped) -> Vec<&str> {
    mapped.group_names.iter().map(|group| group.name.as_str()).collect()
}

fn anna() -> Value {
    json!({"sub": "u-1", "first": "Anna", "last": "Berg", "mail": "anna@museum.test", "job": "curator",
           "groups": ["staff", "night-shift", "keys"]})
}

#[test]
fn values_fill_the_holes_in_their_order() {
    let text = json!([{
        "local": [{"user": {"id": "{2}", "name": "{0} {1}", "email": "{3}"}}, {"group": {"id": "g-all"}}],
        "remote": [{"type": "first"}, {"type": "last"}, {"type": "sub"}, {"type": "mail"}],
    }]);
    let mapped = map(text, anna());
    assert_eq!(mapped.user.name.as_deref(), Some("Anna Berg"));
    assert_eq!(mapped.user.id.as_deref(), Some("u-1"));
    assert_eq!(mapped.user.email.as_deref(), Some("anna@museum.test"));
    assert_eq!(mapped.user.kind, UserKind::Ephemeral);
    assert_eq!(ids(&mapped), ["g-all"]);
}

#[test]
fn conditions_that_only_decide_are_not_numbered() {
    let text = json!([{
        "local": [{"user": {"name": "{0}-{1}"}}],
        "remote": [
            {"type": "job", "any_one_of": ["curator", "guard"]},
            {"type": "first"},
            {"type": "groups", "not_any_of": ["banned"]},
            {"type": "last"},
        ],
    }]);
    assert_eq!(map(text, anna()).user.name.as_deref(), Some("Anna-Berg"));
}

#[test]
fn a_rule_applies_only_if_all_of_its_remote_half_does() {
    let rule = |remote: Value| json!([{"local": [{"user": {"name": "x"}}], "remote": [{"type": "sub"}, remote]}]);
    for fits in [
        json!({"type": "job"}),
        json!({"type": "job", "any_one_of": ["guard", "curator"]}),
        json!({"type": "job", "not_any_of": ["guard"]}),
        json!({"type": "groups", "any_one_of": ["keys"]}),
        json!({"type": "job", "any_one_of": ["^cur.*r$"], "regex": true}),
        json!({"type": "mail", "any_one_of": ["@museum[.]test$"], "regex": true}),
        json!({"type": "groups", "not_any_of": ["^day"], "regex": true}),
        json!({"type": "job", "any_one_of": ["curator"], "regex": false}),
    ] {
        assert_eq!(map(rule(fits), anna()).user.name.as_deref(), Some("x"));
    }
    for misses in [
        json!({"type": "shoe_size"}),
        json!({"type": "job", "any_one_of": ["guard"]}),
        json!({"type": "job", "any_one_of": []}),
        json!({"type": "groups", "not_any_of": ["none", "keys"]}),
        json!({"type": "groups", "not_any_of": ["-shift$"], "regex": true}),
        json!({"type": "job", "any_one_of": ["^cur.*r$"]}),
        json!({"type": "shoe_size", "not_any_of": ["43"]}),
    ] {
        assert_eq!(fails(rule(misses), anna()), Unmapped::NoRuleApplies);
    }
}

#[test]
fn all_rules_that_apply_have_their_say() {
    let text = json!([
        {"local": [{"user": {"name": "{0}"}}, {"group": {"id": "all"}}], "remote": [{"type": "sub"}]},
        {"local": [{"group": {"id": "curators"}}], "remote": [{"type": "job", "any_one_of": ["curator"]}]},
        {"local": [{"group": {"id": "guards"}}], "remote": [{"type": "job", "any_one_of": ["guard"]}]},
        {"local": [{"user": {"name": "second"}}, {"group": {"id": "all"}}], "remote": [{"type": "sub"}]},
    ]);
    let mapped = map(text, anna());
    assert_eq!(mapped.user.name.as_deref(), Some("u-1"), "the first user counts");
    assert_eq!(ids(&mapped), ["all", "curators"], "groups add up, each once");
}

#[test]
fn a_list_becomes_groups() {
    let rule =
        |local: Value, remote: Value| json!([{"local": [{"user": {"name": "{0}"}}, local], "remote": [{"type": "sub"}, remote]}]);
    let by_name = json!({"groups": "{1}", "domain": {"name": "Museum"}});
    let mapped = map(rule(by_name.clone(), json!({"type": "groups"})), anna());
    assert_eq!(names(&mapped), ["staff", "night-shift", "keys"]);
    assert!(mapped.group_names.iter().all(|group| group.domain == DomainRef::Name("Museum".into())));

    let white = json!({"type": "groups", "whitelist": ["keys", "staff", "other"]});
    assert_eq!(names(&map(rule(by_name.clone(), white), anna())), ["staff", "keys"]);
    let black = json!({"type": "groups", "blacklist": ["keys"]});
    assert_eq!(names(&map(rule(by_name.clone(), black), anna())), ["staff", "night-shift"]);
    let white = json!({"type": "groups", "whitelist": ["^s", "-shift$"], "regex": true});
    assert_eq!(names(&map(rule(by_name.clone(), white), anna())), ["staff", "night-shift"]);
    let black = json!({"type": "groups", "blacklist": ["s"], "regex": true});
    assert_eq!(names(&map(rule(by_name.clone(), black), anna())), [""; 0]);
    let one = json!({"type": "job"});
    assert_eq!(names(&map(rule(by_name, one), anna())), ["curator"]);

    let by_id = json!({"group_ids": "{1}"});
    assert_eq!(ids(&map(rule(by_id, json!({"type": "groups"})), anna())), ["staff", "night-shift", "keys"]);
    let written = json!({"group_ids": "['a', \"b-{1}\"]"});
    assert_eq!(ids(&map(rule(written, json!({"type": "job"})), anna())), ["a", "b-curator"]);
}

#[test]
fn a_value_that_looks_like_a_list_is_one_name() {
    let text = json!([{
        "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "default"}}, {"group_ids": "{1}"}],
        "remote": [{"type": "sub"}, {"type": "nick"}],
    }]);
    let mapped = map(text, json!({"sub": "mallory", "nick": "['admins', 'x']"}));
    assert_eq!(names(&mapped), ["['admins', 'x']"]);
    assert_eq!(ids(&mapped), ["['admins', 'x']"]);
}

#[test]
fn a_group_is_named_with_its_domain() {
    let text = json!([{
        "local": [{"user": {"name": "{0}"}}, {"group": {"name": "{1}s", "domain": {"id": "d-{0}"}}}],
        "remote": [{"type": "sub"}, {"type": "job"}],
    }]);
    let expected = MappedGroup { name: "curators".into(), domain: DomainRef::Id("d-u-1".into()) };
    assert_eq!(map(text, anna()).group_names, [expected]);
}

#[test]
fn projects_come_with_their_roles() {
    let text = json!([
        {"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]},
        {"local": [{"projects": [{"name": "old", "roles": []}]}], "remote": [{"type": "sub"}]},
        {"local": [{"projects": [
            {"name": "Project of {0}", "roles": [{"name": "member"}, {"name": "{1}"}]},
            {"name": "shared", "roles": [{"name": "reader"}]},
        ]}], "remote": [{"type": "first"}, {"type": "job"}]},
    ]);
    let project = |name: &str, roles: &[&str]| MappedProject {
        name: name.into(),
        domain: None,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    let expected = [project("Project of Anna", &["member", "curator"]), project("shared", &["reader"])];
    assert_eq!(map(text, anna()).projects, expected);
}

#[test]
fn version_two_honours_the_domain_beside() {
    let text = json!([{
        "local": [
            {"user": {"name": "{0}"}},
            {"projects": [{"name": "p", "roles": []}], "domain": {"name": "{1}"}},
        ],
        "remote": [{"type": "sub"}, {"type": "job"}],
    }]);
    let one = rules(Version::One, &text).apply(&assertion(anna())).unwrap();
    assert_eq!((one.user.domain, one.projects[0].domain.clone()), (None, None));
    let two = rules(Version::Two, &text).apply(&assertion(anna())).unwrap();
    let curators = Some(DomainRef::Name("curator".into()));
    assert_eq!((two.user.domain, two.projects[0].domain.clone()), (curators.clone(), curators));

    let own = json!([{
        "local": [{"user": {"name": "{0}", "domain": {"id": "mine"}}, "domain": {"id": "beside"},
                   "projects": [{"name": "p", "roles": [], "domain": {"id": "its"}}]}],
        "remote": [{"type": "sub"}],
    }]);
    let own = rules(Version::Two, &own).apply(&assertion(anna())).unwrap();
    assert_eq!(own.user.domain, Some(DomainRef::Id("mine".into())), "what is said nearer wins");
    assert_eq!(own.projects[0].domain, Some(DomainRef::Id("its".into())));
}

#[test]
fn a_local_user_is_looked_up_here() {
    let text = json!([{
        "local": [{"user": {"name": "{0}", "type": "local", "domain": {"name": "Default"}}}],
        "remote": [{"type": "sub"}],
    }]);
    let user = map(text, anna()).user;
    assert_eq!((user.kind, user.domain), (UserKind::Local, Some(DomainRef::Name("Default".into()))));
}

#[test]
fn nobody_is_not_everybody() {
    let named = |remote: Value| json!([{"local": [{"user": {"name": "{0}"}}], "remote": [remote]}]);
    assert_eq!(fails(named(json!({"type": "sub"})), json!({"sub": "  "})), Unmapped::NoUser);
    let nothing_left = json!({"type": "sub", "whitelist": ["somebody else"]});
    assert_eq!(fails(named(nothing_left), anna()), Unmapped::NoUser, "an emptied list is no name that all share");
    let only_groups = json!([{"local": [{"group": {"id": "g"}}], "remote": [{"type": "sub"}]}]);
    assert_eq!(fails(only_groups, anna()), Unmapped::NoUser);
    assert_eq!(fails(named(json!({"type": "sub"})), json!({})), Unmapped::NoRuleApplies);
}

#[test]
fn braces_are_written_twice() {
    let text = json!([{"local": [{"user": {"name": "{{{0}}}"}}], "remote": [{"type": "sub"}]}]);
    assert_eq!(map(text, anna()).user.name.as_deref(), Some("{u-1}"));
}

#[test]
fn many_values_in_one_text_are_written_as_a_list() {
    let text = json!([{"local": [{"user": {"name": "in {0}"}}], "remote": [{"type": "groups"}]}]);
    assert_eq!(map(text, anna()).user.name.as_deref(), Some("in ['staff', 'night-shift', 'keys']"));
}

#[test]
fn what_is_wrong_with_a_mapping_is_said_with_its_place() {
    let with = |local: Value, remote: Value| json!([{"local": [local], "remote": [remote]}]);
    let user = json!({"user": {"name": "{0}"}});
    let sub = json!({"type": "sub"});
    let table = [
        (json!([]), "1 to 200 rules"),
        (json!({}), "rules"),
        (json!([{"remote": [sub]}]), "missing field `local`"),
        (json!([{"local": [user]}]), "missing field `remote`"),
        (json!([{"local": [user], "remote": []}]), "at least one attribute"),
        (json!([{"local": [user], "remote": [sub], "extra": 1}]), "unknown field `extra`"),
        (with(json!({"usr": {}}), sub.clone()), "unknown field `usr`"),
        (with(json!({"user": {"name": 7}}), sub.clone()), "rules[0].local[0].user.name"),
        (with(json!({"user": {"type": "alien"}}), sub.clone()), "unknown variant"),
        (with(json!({"group": {"name": "x"}}), sub.clone()), "by name and domain"),
        (with(json!({"group": {"id": "x", "name": "y", "domain": {"id": "z"}}}), sub.clone()), "by id, or by"),
        (with(json!({"groups": "staff"}), sub.clone()), "set 'domain' beside"),
        (with(json!({"groups": "[x]", "domain": {"id": "d"}}), sub.clone()), "no list such as"),
        (with(json!({"domain": {}}), sub.clone()), "by id or by name"),
        (with(json!({"projects": [{"name": "p"}]}), sub.clone()), "missing field `roles`"),
        (with(json!({"projects": [{"name": "p", "roles": [], "domain": {"id": "d"}}]}), sub.clone()), "schema_version 2.0"),
        (with(json!({"user": {"name": "{1}"}}), sub.clone()), "takes 1 value"),
        (with(json!({"user": {"name": "{x}"}}), sub.clone()), "no number"),
        (with(json!({"user": {"name": "{0"}}), sub.clone()), "without its other half"),
        (with(user.clone(), json!({"any_one_of": ["x"]})), "missing field `type`"),
        (with(user.clone(), json!({"type": "sub", "any_one_of": "x"})), "expected a sequence"),
        (with(user.clone(), json!({"type": "sub", "whitelist": [], "blacklist": []})), "only one of"),
        (with(user.clone(), json!({"type": "sub", "regex": true})), "regex stands beside"),
        (with(user.clone(), json!({"type": "sub", "whitelist": ["("], "regex": true})), "unclosed group"),
        (with(user.clone(), json!({"type": "sub", "whitelist": ["a(?=b)"], "regex": true})), "look-around"),
    ];
    for (text, words) in table {
        let cause = refused(text.clone());
        assert!(cause.contains(words), "{text}: {cause}");
    }
    assert!(Version::read("9.9").is_err());
    assert_eq!(Version::read("2.0"), Ok(Version::Two));
}

#[test]
fn hostile_patterns_cost_little() {
    let with = |patterns: Vec<String>| {
        json!([{"local": [{"user": {"name": "{0}"}}],
                "remote": [{"type": "sub"}, {"type": "x", "any_one_of": patterns, "regex": true}]}])
    };
    let started = Instant::now();
    assert!(refused(with(vec!["((a{1,100}){1,100}){1,100}".into()])).contains("too large"));
    assert!(refused(with(vec![r"\w{1000}".repeat(20)])).contains("too large"));
    assert!(refused(with(vec!["(".repeat(5000) + &")".repeat(5000)])).contains("cannot be read"));
    assert!(refused(with(vec!["a".into(); 33])).contains("at most 32 patterns"));
    let rule = with(vec![])[0].clone();
    assert!(refused(Value::Array(vec![rule; 201])).contains("1 to 200"));

    // These take a backtracking engine the age of the universe.
    let rules = rules(Version::One, &with(vec!["^(a+)+$".into(), "^(a|a)*b$".into(), "^(.*)*x(.*)*y$".into()]));
    let facts = json!({"sub": "u", "x": format!("{}!", "a".repeat(16_384))});
    assert_eq!(rules.apply(&assertion(facts)), Err(Unmapped::NoRuleApplies));
    let many = json!({"sub": "u", "x": vec!["v"; MOST_VALUES]});
    assert_eq!(rules.apply(&assertion(many)), Err(Unmapped::TooMuch));
    // Seconds, where an unbounded engine would not end: the limit only tells the two apart.
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_group_may_come_as_json_with_its_own_domain() {
    let text = json!([{"local": [{"user": {"name": "{0}"}}, {"groups": "{1}"}], "remote": [{"type": "sub"}, {"type": "teams"}]}]);
    let said = |teams: Value| {
        let mut facts = anna();
        facts["teams"] = teams;
        rules(Version::One, &text).apply(&assertion(facts))
    };
    let groups = said(json!([r#"JSON:{"name": "a", "domain": {"name": "D"}}"#, r#"JSON:{"name": "b", "domain": {"id": "d"}}"#]));
    let group = |name: &str, domain| MappedGroup { name: name.into(), domain };
    let expected = [group("a", DomainRef::Name("D".into())), group("b", DomainRef::Id("d".into()))];
    assert_eq!(groups.unwrap().group_names, expected);
    assert_eq!(said(json!(["plain"])).unwrap_err(), Unmapped::GroupWithoutDomain);
    assert_eq!(said(json!([r#"JSON:{"name": "a"}"#])).unwrap_err(), Unmapped::GroupWithoutDomain);
    assert!(matches!(said(json!(["JSON:{"])).unwrap_err(), Unmapped::BadJson(_)));
}

#[test]
fn version_three_takes_projects_as_json() {
    let text = json!([{
        "local": [{"user": {"name": "{0}"}, "domain": {"id": "beside"}, "projects_json": "{1}",
                   "projects": [{"name": "fixed", "roles": [{"name": "reader"}]}]}],
        "remote": [{"type": "sub"}, {"type": "projects"}],
    }]);
    let said = |projects: &str| {
        let mut facts = anna();
        facts["projects"] = json!(projects);
        rules(Version::Three, &text).apply(&assertion(facts))
    };
    let projects = r#"[{"name": "p", "roles": [{"name": "member"}], "domain": {"name": "D"}}, {"name": "q", "roles": []}]"#;
    let mapped = said(projects).unwrap();
    assert!(mapped.projects_are_all);
    let told: Vec<_> = mapped.projects.iter().map(|project| (project.name.as_str(), project.domain.clone())).collect();
    let beside = Some(DomainRef::Id("beside".into()));
    assert_eq!(told, [("fixed", beside.clone()), ("p", Some(DomainRef::Name("D".into()))), ("q", beside)]);
    for bad in [
        "",
        "{}",
        r#"[{"name": "p"}]"#,
        r#"[{"name": "p", "roles": [], "more": 1}]"#,
        r#"[{"name": "p", "roles": [], "domain": {}}]"#,
    ] {
        assert!(matches!(said(bad), Err(Unmapped::BadJson(_))), "{bad}");
    }
    assert!(Rules::read(Version::Two, &text).unwrap_err().contains("schema_version 3.0"));
    let mixed = json!([{"local": [{"projects_json": "x{0}"}], "remote": [{"type": "sub"}]}]);
    assert!(Rules::read(Version::Three, &mixed).unwrap_err().contains("one value"));
}
