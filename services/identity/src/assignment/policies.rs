// SPDX-License-Identifier: Apache-2.0
//! The policies about giving and taking roles, and what they say of a caller: power asks them too.

use access::{Enforcer, Policy, Target};
use contracts::caller::Caller;
use types::DomainId;

use super::{Holder, Place};
use crate::role::Role;

/// Holder and place both in the domain of the token.
macro_rules! both_of_domain {
    ($role:literal) => {
        concat!(
            "((role:",
            $role,
            " and domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or ",
            "(role:",
            $role,
            " and domain_id:%(target.user.domain_id)s and domain_id:%(target.domain.id)s) or ",
            "(role:",
            $role,
            " and domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or ",
            "(role:",
            $role,
            " and domain_id:%(target.group.domain_id)s and domain_id:%(target.domain.id)s))"
        )
    };
}

const READ_ANY: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub static CHECK: Policy = Policy::new(
    "identity:check_grant",
    concat!(
        "rule:admin_required or (role:reader and system_scope:all) or ",
        both_of_domain!("reader"),
        " and (domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
    ),
    "Check that a role is given",
)
.also_for_domains();
pub static LIST: Policy = Policy::new(
    "identity:list_grants",
    concat!("rule:admin_required or (role:reader and system_scope:all) or ", both_of_domain!("reader")),
    "List the roles given to a user or group somewhere",
)
.also_for_domains();
pub static CREATE: Policy = Policy::new("identity:create_grant", MANAGE, "Give a role").also_for_domains();
pub static REVOKE: Policy = Policy::new("identity:revoke_grant", MANAGE, "Take a role away").also_for_domains();
pub static SYSTEM_LIST_USER: Policy =
    Policy::new("identity:list_system_grants_for_user", READ_ANY, "List the roles of a user on the system");
pub static SYSTEM_CHECK_USER: Policy =
    Policy::new("identity:check_system_grant_for_user", READ_ANY, "Check that a user has a role on the system");
pub static SYSTEM_CREATE_USER: Policy =
    Policy::new("identity:create_system_grant_for_user", "rule:admin_required", "Give a user a role on the system");
pub static SYSTEM_REVOKE_USER: Policy =
    Policy::new("identity:revoke_system_grant_for_user", "rule:admin_required", "Take a role on the system from a user");
pub static SYSTEM_LIST_GROUP: Policy =
    Policy::new("identity:list_system_grants_for_group", READ_ANY, "List the roles of a group on the system");
pub static SYSTEM_CHECK_GROUP: Policy =
    Policy::new("identity:check_system_grant_for_group", READ_ANY, "Check that a group has a role on the system");
pub static SYSTEM_CREATE_GROUP: Policy =
    Policy::new("identity:create_system_grant_for_group", "rule:admin_required", "Give a group a role on the system");
pub static SYSTEM_REVOKE_GROUP: Policy =
    Policy::new("identity:revoke_system_grant_for_group", "rule:admin_required", "Take a role on the system from a group");

/// A domain's administrator gives the domain's own roles and those of the whole cloud; its manager only the lesser ones.
const MANAGE: &str = concat!(
    "rule:admin_required or ",
    both_of_domain!("admin"),
    " and (domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s) or ",
    both_of_domain!("manager"),
    " and rule:domain_managed_target_role"
);

/// Which roles a domain's manager may give: nothing above its own.
pub const RULES: &[(&str, &str)] = &[(
    "domain_managed_target_role",
    "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
)];

/// Whether a caller may give any role anywhere to anybody, by the rules in force.
pub fn may_give_anything(enforcer: &Enforcer, caller: &Caller) -> bool {
    [&CREATE, &SYSTEM_CREATE_USER].into_iter().all(|policy| enforcer.scope(policy, caller).is_ok_and(|it| it.scope().is_all()))
}

/// Whether a caller may give this role within a domain, by the rules in force.
pub fn may_give(enforcer: &Enforcer, caller: &Caller, domain: &DomainId, role: &Role) -> bool {
    let target = Target::new()
        .with("target.user.domain_id", domain.as_str())
        .with("target.project.domain_id", domain.as_str())
        .with("target.role.name", role.name.as_str())
        .with_optional("target.role.domain_id", role.domain_id.as_ref().map(|domain| domain.as_str()));
    enforcer.check(&CREATE, caller, &target).is_ok()
}

/// The policies for a holder and a place.
pub struct Policies {
    pub list: &'static Policy,
    pub check: &'static Policy,
    pub create: &'static Policy,
    pub revoke: &'static Policy,
}

pub fn of(holder: &Holder, place: &Place) -> Policies {
    match (place, holder) {
        (Place::System, Holder::User(_)) => Policies {
            list: &SYSTEM_LIST_USER,
            check: &SYSTEM_CHECK_USER,
            create: &SYSTEM_CREATE_USER,
            revoke: &SYSTEM_REVOKE_USER,
        },
        (Place::System, Holder::Group(_)) => Policies {
            list: &SYSTEM_LIST_GROUP,
            check: &SYSTEM_CHECK_GROUP,
            create: &SYSTEM_CREATE_GROUP,
            revoke: &SYSTEM_REVOKE_GROUP,
        },
        (Place::Project(_) | Place::Domain(_), _) => Policies { list: &LIST, check: &CHECK, create: &CREATE, revoke: &REVOKE },
    }
}
