// SPDX-License-Identifier: Apache-2.0
//! What is asked for when a trust is made, and whether it may be had.

use serde::{Deserialize, Deserializer, de::Error as _};
use store::{Tx, params};
use types::{ProjectId, RoleId, Timestamp, UserId};

use super::{DEEPEST, Trust, chain::Chain, table as trusts};
use crate::{
    assignment::{Place, effective},
    delegation::{DelegatedBy, Delegation},
    error::{Error, Result},
    role::table::AllRoles,
    user::table as users,
};

#[derive(Debug, Clone, Deserialize)]
pub struct NewTrust {
    pub trustor_user_id: UserId,
    pub trustee_user_id: UserId,
    pub impersonation: bool,
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    #[serde(default)]
    pub roles: Vec<RoleRequest>,
    #[serde(default)]
    pub expires_at: Option<Expiry>,
    #[serde(default)]
    pub remaining_uses: Option<Count<1>>,
    #[serde(default)]
    pub allow_redelegation: Option<bool>,
    #[serde(default)]
    pub redelegation_count: Option<Count<0>>,
}

/// A role by id or by name.
#[derive(Debug, Clone, Deserialize)]
pub struct RoleRequest {
    pub id: Option<RoleId>,
    pub name: Option<String>,
}

/// A whole number from `LEAST` on.
#[derive(Debug, Clone, Copy)]
pub struct Count<const LEAST: i64>(pub i64);

/// An instant that is still to come.
#[derive(Debug, Clone, Copy)]
pub struct Expiry(pub Timestamp);

impl NewTrust {
    /// The trust that is asked for, if the trustor has what it delegates. Who asks with the token of a trust passes it on.
    pub fn made(&self, tx: &mut Tx, delegation: Option<&Delegation>) -> Result<Trust> {
        if self.project_id.is_some() && self.roles.is_empty() {
            return Err(Error::Forbidden("At least one role should be specified.".to_owned()));
        }
        users::find(tx, &self.trustee_user_id)?.ok_or_else(|| Error::not_found("user", self.trustee_user_id.as_str()))?;
        let parent = match delegation {
            Some(Delegation { by: DelegatedBy::Trust(id), .. }) => {
                Some(trusts::find(tx, id)?.ok_or_else(|| Error::not_found("trust", id))?)
            }
            _ => None,
        };
        let all = AllRoles::load(tx)?;
        let roles = self.roles.iter().map(|asked| asked.find(&all)).collect::<Result<Vec<RoleId>>>()?;
        let held = match &self.project_id {
            Some(project) => {
                tx.query_opt("SELECT 1 FROM projects WHERE id = $1", &params![project])?
                    .ok_or_else(|| Error::not_found("project", project.as_str()))?;
                let trustor = match &parent {
                    Some(parent) => Chain::of(tx, parent)?.first_trustor,
                    None => self.trustor_user_id.clone(),
                };
                effective::all_roles_of(tx, &all, &trustor, &Place::Project(project.clone()))?
            }
            None => vec![],
        };
        if let Some(missing) = roles.iter().find(|role| !held.contains(role)) {
            return Err(Error::not_found("role", missing.as_str()));
        }
        self.resolve(roles, parent.as_ref())
    }

    /// With the roles as they were found. What `parent` gave is passed on.
    fn resolve(&self, roles: Vec<RoleId>, parent: Option<&Trust>) -> Result<Trust> {
        let asked = self.redelegation_count.map(|count| count.0);
        let may_be_passed_on = self.allow_redelegation == Some(true) && asked != Some(0);
        if may_be_passed_on && asked.is_some_and(|asked| asked > DEEPEST) {
            return Err(Error::Forbidden(format!(
                "Requested redelegation depth of {} is greater than allowed {DEEPEST}.",
                asked.unwrap_or_default()
            )));
        }
        if may_be_passed_on && self.remaining_uses.is_some() {
            return Err(Error::Invalid("remaining_uses must not be set if redelegation is allowed.".to_owned()));
        }
        let mut trust = Trust {
            id: uuid::Uuid::new_v4().simple().to_string(),
            trustor: self.trustor_user_id.clone(),
            trustee: self.trustee_user_id.clone(),
            project: self.project_id.clone(),
            impersonation: self.impersonation,
            expires_at: self.expires_at.map(|at| at.0),
            remaining_uses: self.remaining_uses.map(|count| count.0),
            redelegated_trust: None,
            redelegation_count: if may_be_passed_on { asked.unwrap_or(DEEPEST) } else { 0 },
            roles,
        };
        if let Some(parent) = parent {
            pass_on(parent, &mut trust)?;
            let left = parent.redelegation_count - 1;
            if may_be_passed_on {
                if asked.is_some_and(|asked| asked != left) {
                    return Err(Error::Forbidden(format!(
                        "The trust that is passed on leaves a redelegation depth of {left}; leave redelegation_count out."
                    )));
                }
                trust.redelegation_count = left;
            }
        }
        Ok(trust)
    }
}

impl RoleRequest {
    fn find(&self, all: &AllRoles) -> Result<RoleId> {
        let (role, named) = match (&self.id, &self.name) {
            (Some(id), _) => (all.by_id.get(id), id.as_str()),
            (None, Some(name)) => (all.by_id.values().find(|role| role.name == *name && role.domain_id.is_none()), name.as_str()),
            (None, None) => {
                let why = "Invalid input for field/attribute trust.roles: a role has an id or a name.";
                return Err(Error::Invalid(why.to_owned()));
            }
        };
        role.map(|role| role.id.clone()).ok_or_else(|| Error::not_found("role", named))
    }
}

/// Makes the new trust a part of one that its maker was given: nothing in it goes beyond that one.
fn pass_on(parent: &Trust, trust: &mut Trust) -> Result<()> {
    let refuse = |why: &str| Err(Error::Forbidden(why.to_owned()));
    if parent.redelegation_count < 1 {
        return refuse("This trust must not be passed on: its remaining redelegation depth is 0.");
    }
    if trust.remaining_uses.is_some() {
        return refuse("remaining_uses must not be set where a trust is passed on.");
    }
    if trust.project != parent.project {
        return refuse("The trust that is passed on is for another project.");
    }
    match (trust.expires_at, parent.expires_at) {
        (None, end) => trust.expires_at = end,
        (Some(asked), Some(end)) if asked > end => {
            return refuse("Requested expiration time is later than that of the trust that is passed on.");
        }
        _ => {}
    }
    if !trust.roles.iter().all(|role| parent.roles.contains(role)) {
        return refuse("Some of the requested roles are not in the trust that is passed on.");
    }
    if trust.impersonation && !parent.impersonation {
        return refuse("Impersonation is not allowed: the trust that is passed on does not allow it.");
    }
    trust.redelegated_trust = Some(parent.id.clone());
    Ok(())
}

impl<'de, const LEAST: i64> Deserialize<'de> for Count<LEAST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        if !(LEAST..=i64::from(i32::MAX)).contains(&number) {
            return Err(D::Error::custom(format!("it is a whole number of at least {LEAST}, or null")));
        }
        Ok(Self(number))
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = Timestamp::parse(&text)
            .ok_or_else(|| D::Error::custom(format!("it is an instant such as 2027-02-27T18:30:59.000000Z, not '{text}'")))?;
        if at <= Timestamp::now() {
            return Err(D::Error::custom("it must lie in the future"));
        }
        Ok(Self(at))
    }
}
