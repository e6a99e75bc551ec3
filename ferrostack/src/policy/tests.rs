// SPDX-License-Identifier: Apache-2.0
//! The matrix against what is known of it, and the operator's overrides in it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{collections::BTreeSet, fs};

use access::Enforcer;

use super::{
    enforcer,
    matrix::{Matrix, Verdict},
    persona::{Whose, value},
};
use crate::{controller, home::Home};

async fn matrix(enforcer: &Enforcer) -> Matrix {
    controller::with_empty_cloud(|door| Matrix::of(door, enforcer)).await.unwrap()
}

fn home_with(policy: &str) -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().to_owned());
    home.ensure().unwrap();
    let file = folder.path().join("policy.yaml");
    fs::write(&file, policy).unwrap();
    fs::write(&home.configuration, format!("[api]\npolicy = {file:?}\n")).unwrap();
    (folder, home)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_says_what_the_defaults_mean() {
    let (_folder, home) = home_with("");
    let matrix = matrix(&enforcer(&home).unwrap()).await;
    let table = [
        ("identity:create_region", [No, No, No, Any, No, No, No, No, No, Any, No]),
        ("identity:list_regions", [Any; 11]),
        ("identity:get_user", [Own, Own, Own, Any, Own, Own, Any, Any, Any, Any, Own]),
        ("identity:create_user", [No, No, No, Any, No, Own, Any, No, No, Any, No]),
        ("identity:create_grant", [No, No, No, Any, No, Own, Any, No, No, Any, No]),
        ("os_compute_api:servers:show", [Own, Own, Own, Any, No, No, No, No, No, No, No]),
        ("create_network", [No, Own, Own, Any, No, No, No, No, No, No, No]),
        ("placement:resource_providers:list", [No, No, No, Any, No, No, No, No, No, No, Any]),
    ];
    use Verdict::{Any, No, Own};
    let personas = [
        "reader",
        "member",
        "manager",
        "admin",
        "domain-reader",
        "domain-manager",
        "domain-admin",
        "system-reader",
        "system-member",
        "system-admin",
        "service",
    ];
    for (policy, verdicts) in table {
        for (persona, expected) in personas.iter().zip(verdicts) {
            assert_eq!(matrix.verdict(policy, persona), Some(expected), "{policy} for {persona}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_is_in_force_and_in_the_matrix() {
    let (_folder, home) = home_with("identity:list_regions: role:service\ncreate_network: rule:admin_only\n");
    let enforcer = enforcer(&home).unwrap();
    assert_eq!(enforcer.problems(), []);
    let matrix = matrix(&enforcer).await;
    assert_eq!(matrix.verdict("identity:list_regions", "admin"), Some(Verdict::No));
    assert_eq!(matrix.verdict("identity:list_regions", "service"), Some(Verdict::Any));
    assert_eq!(matrix.verdict("create_network", "member"), Some(Verdict::No));
    assert_eq!(matrix.verdict("create_network", "admin"), Some(Verdict::Any));
}

#[test]
fn every_fact_that_a_rule_asks_for_is_one_that_the_matrix_knows() {
    let (_folder, home) = home_with("");
    let enforcer = enforcer(&home).unwrap();
    let unknown: BTreeSet<String> = controller::policies()
        .into_iter()
        .flat_map(|policy| enforcer.facts_asked(policy))
        .filter(|fact| value(fact, Whose::Own).is_none())
        .collect();
    assert!(unknown.is_empty(), "tell persona::value what these are: {unknown:?}");
}
