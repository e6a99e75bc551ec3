// SPDX-License-Identifier: Apache-2.0
//! One of each thing that has an address, made, shown, listed and changed.

use serde_json::{Value, json};

use super::Taken;
use crate::world::World;

pub async fn walk(taken: &mut Taken) {
    let world = World::with(super::settings()).await;
    let admin = world.id("users", "admin").await;
    versions(taken, &world).await;
    let domain = domains(taken, &world).await;
    projects(taken, &world, &domain, &admin).await;
    let (user, group) = users_and_groups(taken, &world, &domain).await;
    roles(taken, &world, &domain, &user, &group).await;
    catalog(taken, &world).await;
    limits(taken, &world).await;
    credentials(taken, &world, &user).await;
    domain_config(taken, &world, &domain).await;
    delegations(taken, &world, &user).await;
    revocations(taken, &world).await;
}

fn id(body: &Value, one: &str) -> String {
    body[one]["id"].as_str().unwrap_or_else(|| panic!("no {one}: {body}")).to_owned()
}

async fn versions(taken: &mut Taken, world: &World) {
    taken.get(world, "identity-version", "/v3").await;
    taken.get(world, "identity-versions", "/").await;
}

async fn domains(taken: &mut Taken, world: &World) -> String {
    let body = json!({"domain": {"name": "corp", "description": "a domain", "enabled": true, "options": {}}});
    let id = id(&taken.ask(world, "domain-create", "POST /v3/domains", body).await, "domain");
    taken.get(world, "domain-show", &format!("/v3/domains/{id}")).await;
    taken.get(world, "domains-list", "/v3/domains").await;
    let change = json!({"domain": {"description": "another"}});
    taken.ask(world, "domain-update", &format!("PATCH /v3/domains/{id}"), change).await;
    id
}

async fn projects(taken: &mut Taken, world: &World, domain: &str, admin: &str) {
    let role = world.id("roles", "admin").await;
    let body = json!({"project": {"name": "top", "description": "d", "domain_id": domain, "tags": ["a"], "options": {}}});
    let top = id(&taken.ask(world, "project-create", "POST /v3/projects", body).await, "project");
    let below = world.create("projects", "project", json!({"name": "below", "description": "d", "parent_id": top})).await;
    for project in [&top, &below] {
        world.grant(&format!("projects/{project}/users/{admin}/roles/{role}")).await;
    }
    taken.get(world, "project-show", &format!("/v3/projects/{top}")).await;
    taken.get(world, "project-show-parents", &format!("/v3/projects/{below}?parents_as_list")).await;
    taken.get(world, "project-show-subtree", &format!("/v3/projects/{top}?subtree_as_list")).await;
    taken.get(world, "projects-list", "/v3/projects").await;
    let change = json!({"project": {"description": "another"}});
    taken.ask(world, "project-update", &format!("PATCH /v3/projects/{top}"), change).await;
    let tags = json!({"tags": ["a", "b"]});
    taken.ask(world, "project-tags-update", &format!("PUT /v3/projects/{top}/tags"), tags).await;
    taken.get(world, "project-tags-list", &format!("/v3/projects/{top}/tags")).await;
    taken.get(world, "get-available-project-scopes", "/v3/auth/projects").await;
    taken.get(world, "v3-ext/federation/projects-domains/samples/project-list", "/v3/auth/projects").await;
    world.grant(&format!("domains/{domain}/users/{admin}/roles/{role}")).await;
    taken.get(world, "get-available-domain-scopes", "/v3/auth/domains").await;
    taken.get(world, "v3-ext/federation/projects-domains/samples/domain-list", "/v3/auth/domains").await;
    taken.get(world, "get-available-system-scopes", "/v3/auth/system").await;
    taken.get(world, "get-service-catalog", "/v3/auth/catalog").await;
}

async fn users_and_groups(taken: &mut Taken, world: &World, domain: &str) -> (String, String) {
    let project = world.id("projects", "top").await;
    let base = "/v3/OS-FEDERATION";
    for (path, body) in [
        ("identity_providers/museum", json!({"identity_provider": {"description": "d"}})),
        ("mappings/people", json!({"mapping": {"rules": [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]}]}})),
        ("identity_providers/museum/protocols/openid", json!({"protocol": {"mapping_id": "people"}})),
    ] {
        assert_eq!(world.ask("PUT", &format!("{base}/{path}"), &world.admin, body).await.status, 201);
    }
    let federated = json!([{"idp_id": "museum", "protocols": [{"protocol_id": "openid", "unique_id": "jsmith"}]}]);
    let body = json!({"user": {"name": "jsmith", "domain_id": domain, "default_project_id": project, "password": "pw",
        "description": "James", "email": "jsmith@example.com", "enabled": true,
        "options": {"ignore_password_expiry": false}, "federated": federated}});
    let user = id(&taken.ask(world, "user-create", "POST /v3/users", body).await, "user");
    taken.get(world, "user-show", &format!("/v3/users/{user}")).await;
    taken.get(world, "users-list", "/v3/users").await;
    let change = json!({"user": {"default_project_id": project, "options": {"ignore_lockout_failure_attempts": true}}});
    taken.ask(world, "user-update", &format!("PATCH /v3/users/{user}"), change).await;

    let body = json!({"group": {"name": "devs", "domain_id": domain, "description": "developers"}});
    let group = id(&taken.ask(world, "group-create", "POST /v3/groups", body).await, "group");
    taken.get(world, "group-show", &format!("/v3/groups/{group}")).await;
    taken.get(world, "groups-list", "/v3/groups").await;
    let change = json!({"group": {"description": "others"}});
    taken.ask(world, "group-update", &format!("PATCH /v3/groups/{group}"), change).await;
    world.grant(&format!("groups/{group}/users/{user}")).await;
    taken.get(world, "group-users-list", &format!("/v3/groups/{group}/users")).await;
    taken.get(world, "user-groups-list", &format!("/v3/users/{user}/groups")).await;
    let member = world.id("roles", "member").await;
    world.grant(&format!("projects/{project}/users/{user}/roles/{member}")).await;
    taken.get(world, "user-projects-list", &format!("/v3/users/{user}/projects")).await;
    (user, group)
}

async fn roles(taken: &mut Taken, world: &World, domain: &str, user: &str, group: &str) {
    let body = json!({"role": {"name": "auditor", "description": "looks", "options": {}}});
    let role = id(&taken.ask(world, "role-create", "POST /v3/roles", body).await, "role");
    let own = world.create("roles", "role", json!({"name": "own", "description": "d", "domain_id": domain})).await;
    taken.get(world, "role-show", &format!("/v3/roles/{own}")).await;
    let change = json!({"role": {"description": "looks on"}});
    taken.ask(world, "role-update", &format!("PATCH /v3/roles/{own}"), change).await;
    taken.get(world, "roles-list", "/v3/roles").await;

    let reader = world.id("roles", "reader").await;
    let implies = format!("/v3/roles/{role}/implies/{reader}");
    taken.ask(world, "create-role-inferences", &format!("PUT {implies}"), Value::Null).await;
    taken.get(world, "get-role-inferences", &implies).await;
    taken.get(world, "list-implied-roles-for-role", &format!("/v3/roles/{role}/implies")).await;
    taken.get(world, "role-inferences", "/v3/role_inferences").await;

    let project = world.id("projects", "top").await;
    for (place, of_user, of_group) in [
        (format!("projects/{project}"), "project-user-roles-list", "project-group-roles-list"),
        (format!("domains/{domain}"), "domain-user-roles-list", "domain-group-roles-list"),
        ("system".to_owned(), "list-system-roles-for-user", "list-system-roles-for-group"),
    ] {
        for (holder, sample) in [(format!("users/{user}"), of_user), (format!("groups/{group}"), of_group)] {
            world.grant(&format!("{place}/{holder}/roles/{role}")).await;
            taken.get(world, sample, &format!("/v3/{place}/{holder}/roles")).await;
        }
    }
    let inherited = format!("OS-INHERIT/domains/{domain}/users/{user}/roles");
    world.grant(&format!("{inherited}/{role}/inherited_to_projects")).await;
    taken.get(world, "user-roles-domain-list", &format!("/v3/{inherited}/inherited_to_projects")).await;
    let inherited = format!("OS-INHERIT/domains/{domain}/groups/{group}/roles");
    world.grant(&format!("{inherited}/{role}/inherited_to_projects")).await;
    taken.get(world, "group-roles-domain-list", &format!("/v3/{inherited}/inherited_to_projects")).await;
    taken.get(world, "role-assignments-list", "/v3/role_assignments").await;
    let subtree = format!("/v3/role_assignments?include_subtree&scope.project.id={project}");
    taken.get(world, "role-assignments-list-include-subtree", &subtree).await;
    let effective = format!("/v3/role_assignments?effective&user.id={user}");
    taken.get(world, "role-assignments-effective-list", &effective).await;
    taken.get(world, "role-assignments-effective-list-include-names", &format!("{effective}&include_names")).await;
}

async fn catalog(taken: &mut Taken, world: &World) {
    let body = json!({"region": {"id": "north", "description": "cold", "parent_region_id": "RegionOne"}});
    taken.ask(world, "region-create", "POST /v3/regions", body).await;
    taken.get(world, "region-show", "/v3/regions/north").await;
    taken.get(world, "regions-list", "/v3/regions").await;
    taken.ask(world, "region-update", "PATCH /v3/regions/north", json!({"region": {"description": "colder"}})).await;

    let body = json!({"service": {"type": "dns", "name": "designate", "description": "names", "enabled": true}});
    let service = id(&taken.ask(world, "service-create", "POST /v3/services", body).await, "service");
    taken.get(world, "service-show", &format!("/v3/services/{service}")).await;
    taken.get(world, "services-list", "/v3/services").await;
    let change = json!({"service": {"description": "other names"}});
    taken.ask(world, "service-update", &format!("PATCH /v3/services/{service}"), change).await;

    let body = json!({"endpoint": {"service_id": service, "region_id": "north", "interface": "public", "url": "http://dns.test",
        "name": "an endpoint"}});
    let endpoint = id(&taken.ask(world, "endpoint-create", "POST /v3/endpoints", body).await, "endpoint");
    taken.get(world, "endpoint-show", &format!("/v3/endpoints/{endpoint}")).await;
    taken.get(world, "endpoints-list", "/v3/endpoints").await;
    let change = json!({"endpoint": {"url": "http://dns2.test", "region_id": "north"}});
    taken.ask(world, "endpoint-update", &format!("PATCH /v3/endpoints/{endpoint}"), change).await;
    policies(taken, world, &endpoint).await;
    endpoint_filters(taken, world, &endpoint).await;
}

async fn policies(taken: &mut Taken, world: &World, endpoint: &str) {
    let body = json!({"policy": {"type": "application/json", "blob": "{'a': ['role:x']}", "project_id": "p", "user_id": "u"}});
    let policy = id(&taken.ask(world, "policy-create", "POST /v3/policies", body).await, "policy");
    taken.get(world, "policy-show", &format!("/v3/policies/{policy}")).await;
    taken.get(world, "policies-list", "/v3/policies").await;
    let change = json!({"policy": {"blob": "{}"}});
    taken.ask(world, "policy-update", &format!("PATCH /v3/policies/{policy}"), change).await;
    world.grant(&format!("policies/{policy}/OS-ENDPOINT-POLICY/endpoints/{endpoint}")).await;
    let list = format!("/v3/policies/{policy}/OS-ENDPOINT-POLICY/endpoints");
    taken.get(world, "v3-ext/samples/OS-ENDPOINT-POLICY/policy-endpoint-associations-list", &list).await;
    let of_endpoint = format!("/v3/endpoints/{endpoint}/OS-ENDPOINT-POLICY/policy");
    taken.get(world, "v3-ext/samples/OS-ENDPOINT-POLICY/policy-show", &of_endpoint).await;
}

async fn endpoint_filters(taken: &mut Taken, world: &World, endpoint: &str) {
    let of = |name: &str| format!("v3-ext/samples/OS-EP-FILTER/{name}");
    let project = world.id("projects", "top").await;
    let filters = json!({"interface": "public", "service_id": world.id("services", "designate").await});
    let body = json!({"endpoint_group": {"name": "inner", "description": "those within", "filters": filters}});
    let groups = "/v3/OS-EP-FILTER/endpoint_groups";
    let made = world.ask("POST", groups, &world.admin, body).await;
    let group = id(&taken.put(&of("endpoint-group"), made), "endpoint_group");
    taken.get(world, &of("endpoint-groups"), groups).await;
    let change = json!({"endpoint_group": {"description": "others", "filters": filters}});
    taken.ask(world, &of("update-endpoint-group"), &format!("PATCH {groups}/{group}"), change).await;
    taken.get(world, &of("list-service-endpoints"), &format!("{groups}/{group}/endpoints")).await;
    world.grant(&format!("OS-EP-FILTER/endpoint_groups/{group}/projects/{project}")).await;
    taken.get(world, &of("endpoint-project"), &format!("{groups}/{group}/projects/{project}")).await;
    world.grant(&format!("OS-EP-FILTER/projects/{project}/endpoints/{endpoint}")).await;
    let by_endpoint = format!("/v3/OS-EP-FILTER/endpoints/{endpoint}/projects");
    taken.get(world, &of("list-associations-by-endpoint"), &by_endpoint).await;
    let by_project = format!("/v3/OS-EP-FILTER/projects/{project}/endpoints");
    taken.get(world, &of("list-associations-by-project"), &by_project).await;
}

async fn limits(taken: &mut Taken, world: &World) {
    let service = world.id("services", "nova").await;
    let registered = |name: &str, region: Value| json!({"service_id": service, "region_id": region, "resource_name": name, "default_limit": 10, "description": "d"});
    let body = json!({"registered_limits": [registered("cores", json!("RegionOne")), registered("ram", Value::Null)]});
    let made = taken.ask(world, "registered-limits-create", "POST /v3/registered_limits", body).await;
    let id = made["registered_limits"][0]["id"].as_str().unwrap();
    taken.get(world, "registered-limit-show", &format!("/v3/registered_limits/{id}")).await;
    taken.get(world, "registered-limits-list", "/v3/registered_limits").await;
    let change = json!({"registered_limit": {"default_limit": 11}});
    taken.ask(world, "registered-limits-update", &format!("PATCH /v3/registered_limits/{id}"), change).await;

    let project = world.id("projects", "top").await;
    let body = json!({"limits": [
        {"service_id": service, "region_id": "RegionOne", "resource_name": "cores", "resource_limit": 5, "description": "d",
         "project_id": project},
        {"service_id": service, "resource_name": "ram", "resource_limit": 5, "project_id": project}]});
    let made = taken.ask(world, "limits-create", "POST /v3/limits", body).await;
    let id = made["limits"][0]["id"].as_str().unwrap();
    taken.get(world, "limit-show", &format!("/v3/limits/{id}")).await;
    taken.get(world, "limits-list", "/v3/limits").await;
    let change = json!({"limit": {"resource_limit": 6}});
    taken.ask(world, "limits-update", &format!("PATCH /v3/limits/{id}"), change).await;
    taken.get(world, "limit-flat-model", "/v3/limits/model").await;
}

async fn credentials(taken: &mut Taken, world: &World, user: &str) {
    let project = world.id("projects", "top").await;
    let body = json!({"credential": {"type": "ec2", "user_id": user, "project_id": project,
        "blob": "{\"access\":\"181920\",\"secret\":\"secretKey\"}"}});
    let credential = id(&taken.ask(world, "credential-create", "POST /v3/credentials", body).await, "credential");
    taken.get(world, "credential-show", &format!("/v3/credentials/{credential}")).await;
    taken.get(world, "credentials-list", "/v3/credentials").await;
    let change = json!({"credential": {"blob": "{\"access\":\"181920\",\"secret\":\"other\"}"}});
    taken.ask(world, "credential-update", &format!("PATCH /v3/credentials/{credential}"), change).await;
}

async fn domain_config(taken: &mut Taken, world: &World, domain: &str) {
    let path = format!("/v3/domains/{domain}/config");
    let body = json!({"config": {"identity": {"driver": "ldap"},
        "ldap": {"url": "ldap://ldap.test", "user_tree_dn": "ou=Users,dc=root,dc=org"}}});
    taken.ask(world, "domain-config-create", &format!("PUT {path}"), body.clone()).await;
    taken.get(world, "domain-config-show", &path).await;
    taken.ask(world, "domain-config-update", &format!("PATCH {path}"), body).await;
    taken.get(world, "domain-config-group-show", &format!("{path}/ldap")).await;
    let change = json!({"config": {"ldap": {"url": "ldap://other.test", "user_tree_dn": "ou=Users"}}});
    taken.ask(world, "domain-config-group-update", &format!("PATCH {path}/ldap"), change).await;
    taken.get(world, "domain-config-group-option-show", &format!("{path}/ldap/url")).await;
    let change = json!({"config": {"url": "ldap://third.test"}});
    taken.ask(world, "domain-config-group-option-update", &format!("PATCH {path}/ldap/url"), change).await;
    taken.get(world, "domain-config-default", "/v3/domains/config/default").await;
    taken.get(world, "domain-config-group-default", "/v3/domains/config/ldap/default").await;
    taken.get(world, "domain-config-group-option-default", "/v3/domains/config/identity/driver/default").await;
}

/// Application credentials and trusts, of the administrator himself.
async fn delegations(taken: &mut Taken, world: &World, trustee: &str) {
    let admin = world.id("users", "admin").await;
    let path = format!("/v3/users/{admin}/application_credentials");
    let body = json!({"application_credential": {"name": "monitoring", "description": "watches", "secret": "s",
        "expires_at": "2099-02-27T18:30:59.000000Z", "roles": [{"name": "admin"}], "unrestricted": false,
        "access_rules": [{"path": "/v2.0/metrics", "method": "GET", "service": "monitoring"}]}});
    let made = taken.ask(world, "application-credential-create", &format!("POST {path}"), body).await;
    let credential = id(&made, "application_credential");
    taken.get(world, "application-credential-get", &format!("{path}/{credential}")).await;
    taken.get(world, "application-credential-list", &path).await;
    let rules = taken.get(world, "access-rules-list", &format!("/v3/users/{admin}/access_rules")).await;
    let rule = rules["access_rules"][0]["id"].as_str().unwrap();
    taken.get(world, "access-rule-get", &format!("/v3/users/{admin}/access_rules/{rule}")).await;

    let of = |name: &str| format!("v3-ext/samples/OS-TRUST/{name}");
    let project = world.id("projects", "admin").await;
    let body = json!({"trust": {"trustor_user_id": admin, "trustee_user_id": trustee, "project_id": project,
        "impersonation": true, "expires_at": "2099-02-27T18:30:59.999999Z", "allow_redelegation": true,
        "remaining_uses": null, "roles": [{"name": "member"}]}});
    let made = world.ask("POST", "/v3/OS-TRUST/trusts", &world.admin, body).await;
    let trust = id(&taken.put(&of("trust-create"), made), "trust");
    taken.get(world, &of("trust-get"), &format!("/v3/OS-TRUST/trusts/{trust}")).await;
    taken.get(world, &of("trust-list"), &format!("/v3/OS-TRUST/trusts?trustor_user_id={admin}")).await;
    let roles = format!("/v3/OS-TRUST/trusts/{trust}/roles");
    taken.get(world, &of("trust-list-roles-delegated"), &roles).await;
    let member = world.id("roles", "member").await;
    taken.get(world, &of("trust-get-role-delegated"), &format!("{roles}/{member}")).await;
}

async fn revocations(taken: &mut Taken, world: &World) {
    let token = world.login("admin", crate::world::ADMIN_PASSWORD, Some("admin")).await;
    let headers = [("x-subject-token", token.as_str())];
    world.ask_with("DELETE", "/v3/auth/tokens", &world.admin, &headers, Value::Null).await;
    taken.get(world, "v3-ext/samples/OS-REVOKE/list-revoke", "/v3/OS-REVOKE/events").await;
}
