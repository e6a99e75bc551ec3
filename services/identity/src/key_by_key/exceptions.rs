// SPDX-License-Identifier: Apache-2.0
//! Where our answers deliberately are not as the examples. Each was looked up in Keystone's code: mostly it is the example
//! that is not as Keystone answers.

use shapes::Exception;

/// Examples for which nothing is asked.
pub const NOT_ASKED: &[(&str, &str)] = &[];

pub const EXCEPTIONS: &[Exception] = &[
    // Tokens. Keystone writes them in one place (`common/render_token.py`), whatever the way to them.
    ("v3-ext/federation/auth/samples/scoped-token", "/token/project/links", LINKS),
    ("v3-ext/federation/auth/samples/scoped-token", "/token/project/domain/links", LINKS),
    ("v3-ext/federation/auth/samples/scoped-token", "/token/user/OS-FEDERATION/identity_provider", FEDERATED),
    ("v3-ext/federation/auth/samples/scoped-token", "/token/user/OS-FEDERATION/protocol", FEDERATED),
    ("v3-ext/federation/auth/samples/unscoped-token", "/token/user/OS-FEDERATION/identity_provider", FEDERATED),
    ("v3-ext/federation/auth/samples/unscoped-token", "/token/user/OS-FEDERATION/protocol", FEDERATED),
    ("v3-ext/samples/OS-TRUST/trust-auth-trust", "/token/OS-TRUST:trust/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-trust", "/token/OS-TRUST:trust/trustee_user/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-trust", "/token/OS-TRUST:trust/trustor_user/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-trust", "/token/user/domain/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-trust", "/token/user/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-trust", "/token/user/email", EMAIL),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/OS-TRUST:trust/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/OS-TRUST:trust/trustee_user/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/OS-TRUST:trust/trustor_user/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/OS-TRUST:trust/redelegated_trust_id", REDELEGATED),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/OS-TRUST:trust/redelegation_count", REDELEGATED),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/user/domain/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/user/links", LINKS),
    ("v3-ext/samples/OS-TRUST/trust-auth-redelegated", "/token/user/email", EMAIL),
    // Domain configuration.
    ("domain-config-group-show", "/ldap", CONFIG),
    ("domain-config-group-option-show", "/url", CONFIG),
    ("domain-config-group-option-default", "/driver", CONFIG),
    // Policies.
    ("policies-list", "/policies/[]/blob", BLOB),
    ("policy-show", "/policy/blob", BLOB),
    ("policy-update", "/policy/blob", BLOB),
    ("v3-ext/samples/OS-ENDPOINT-POLICY/policy-show", "/policy/blob", BLOB),
    // What is null here because there is none.
    ("role-inferences", "/role_inferences/[]/prior_role/description", "the roles of the first start have no description"),
    ("v3-ext/samples/OS-OAUTH1/access-token-role-show", "/role/domain_id", "a role of the whole cloud: no other can be granted"),
    (
        "v3-ext/samples/OS-OAUTH1/access-token-roles-list",
        "/roles/[]/domain_id",
        "a role of the whole cloud: no other can be granted",
    ),
    ("v3-ext/federation/identity-provider/samples/list", "/identity_providers/[]/description", "one of them has none"),
    // The rest.
    ("project-tags-update", "/projects", "Keystone answers with the tags, and so the schema of its answer says"),
    (
        "role-assignments-effective-list-include-names",
        "/role_assignments/[]/role/domain",
        "only a domain's own role has it, and effective roles are never a domain's own",
    ),
    (
        "v3-ext/samples/OS-EP-FILTER/endpoint-groups",
        "/endpoint_groups/[]/endpoint_group",
        "the example wraps each item once more than Keystone does",
    ),
    ("v3-ext/samples/OS-EP-FILTER/endpoint-project", "/project", "Keystone answers with the relation: `project_endpoint_group`"),
    (
        "v3-ext/samples/OS-EP-FILTER/list-service-endpoints",
        "/endpoints/[]/legacy_endpoint_id",
        "it is of the API before v3, and Keystone takes it out",
    ),
];

const LINKS: &str = "Keystone's tokens have no links";
const EMAIL: &str = "of the user Keystone's tokens have id, name, domain and the end of the password";
const REDELEGATED: &str = "of the trust Keystone's tokens have id, trustor, trustee and impersonation";
const FEDERATED: &str = "Keystone writes an object with the id";
const CONFIG: &str = "Keystone answers with what was asked for within `config`";
const BLOB: &str = "Keystone takes nothing but text as a blob, and gives it back as it came";
