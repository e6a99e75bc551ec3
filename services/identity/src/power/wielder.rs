// SPDX-License-Identifier: Apache-2.0
//! Who acts, and with what: the user with all that is his, or the part of it that a delegated token stands for.
//!
//! Nothing is looked up before it is asked for, in the transaction of the change itself: what was true when the request
//! came may not be so when it is carried out.

use std::sync::Arc;

use access::Enforcer;
use api::{Cx, Fault};
use contracts::caller::TokenScope;
use store::{Tx, params};
use types::{DomainId, GroupId, ProjectId, UserId};

use super::{Claim, Cloud, Over, Power, held};
use crate::{
    Identity,
    assignment::{Assignment, Place},
    credential::{Credential, blob::is_within},
    delegation::Delegation,
    error::{Error, Result},
    role::table::AllRoles,
    token::{Through, ValidToken},
};

#[derive(Clone)]
pub struct Wielder {
    user: UserId,
    wields: Wields,
    enforcer: Arc<Enforcer>,
}

#[derive(Debug, Clone)]
enum Wields {
    /// Whatever the user has, for such a token buys any other. `groups` are those that an identity provider said.
    All { groups: Vec<GroupId> },
    /// What the token says and nothing else. `owners` are those whose it is a part of, and in whose name it is.
    Part { delegation: Delegation, owners: Vec<UserId>, claims: Vec<Claim> },
}

impl Wielder {
    /// Of the token of this request.
    pub async fn of(room: &Identity, cx: &Cx) -> Result<Self, Fault> {
        let valid = room.check_token(cx.header("x-auth-token").unwrap_or_default()).await?;
        Ok(Self::with(&valid, Arc::clone(cx.enforcer())))
    }

    fn with(valid: &ValidToken, enforcer: Arc<Enforcer>) -> Self {
        let caller = &valid.caller;
        let wields = match Delegation::of(valid) {
            Some(delegation) => {
                let mut owners = vec![caller.user.id.clone()];
                if let Some(Through::Trust(trust)) = &valid.through {
                    owners.extend([trust.trustor.clone(), trust.trustee.clone()]);
                }
                Wields::Part { delegation, owners, claims: claims_of(valid) }
            }
            None => Wields::All {
                groups: match &valid.through {
                    Some(Through::Federated(said)) => said.groups.clone(),
                    _ => vec![],
                },
            },
        };
        Self { user: caller.user.id.clone(), wields, enforcer }
    }

    pub fn user(&self) -> &UserId {
        &self.user
    }

    pub fn delegation(&self) -> Option<&Delegation> {
        match &self.wields {
            Wields::All { .. } => None,
            Wields::Part { delegation, .. } => Some(delegation),
        }
    }

    pub fn power(&self, tx: &mut Tx) -> Result<Power> {
        let roles = AllRoles::load(tx)?;
        Ok(match &self.wields {
            Wields::All { groups } => Power::new(roles, &self.enforcer, &held::now(tx, &self.user, groups)?),
            Wields::Part { claims, .. } => Power::new(roles, &self.enforcer, claims),
        })
    }

    /// Over somebody's account, and over whatever proves that one is him.
    pub fn over_user(&self, tx: &mut Tx, id: &UserId) -> Result<Over<UserId>> {
        let sql =
            "SELECT u.domain_id, (SELECT count(*) FROM federated_users f WHERE f.user_id = u.id) FROM users u WHERE u.id = $1";
        let row = tx.query_opt(sql, &params![id])?.ok_or_else(|| Error::not_found("user", id.as_str()))?;
        let (domain, is_vouched_for): (DomainId, bool) = (row.get(0)?, row.get::<i64>(1)? > 0);
        if let Wields::Part { owners, .. } = &self.wields
            && owners.contains(id)
        {
            return Err(Error::Forbidden(
                "A token issued via delegation does not change the account of the one who delegated. Log in as the user.".into(),
            ));
        }
        let power = self.power(tx)?;
        let over = Over::new(id.clone(), power.is_the_clouds());
        if power.is_the_clouds() || *id == self.user {
            return Ok(over);
        }
        if is_vouched_for {
            return refuse("An identity provider says what this user may do, so only an administrator of the cloud changes him.");
        }
        if !power.rules(&domain) {
            return refuse("It takes a role that rules the domain of this user to change him.");
        }
        if !held::ever_of_user(tx, id)?.iter().all(|claim| power.covers(claim)) {
            return refuse(
                "This user has roles that you could not give, or can come to have some. Ask somebody who has them, or an \
                 administrator of the cloud.",
            );
        }
        Ok(over)
    }

    /// Over keys of somebody: one's own are no question of power. What part of them a delegated token reaches is said
    /// where they are kept.
    pub fn over_keys_of(&self, tx: &mut Tx, id: &UserId) -> Result<Over<UserId>> {
        if *id == self.user { Ok(Over::new(id.clone(), false)) } else { self.over_user(tx, id) }
    }

    /// Over a credential, as it is or as it shall be.
    pub fn over_credential(&self, tx: &mut Tx, credential: Credential) -> Result<Over<Credential>> {
        if let Some(delegation) = self.delegation() {
            // What is bound to the delegation is good for no more than the token.
            return if is_within(delegation, &credential) { Ok(Over::new(credential, false)) } else { Err(outside()) };
        }
        Ok(self.over_keys_of(tx, &credential.user_id)?.with(credential))
    }

    /// Over what the members of a group have by it.
    pub fn over_group(&self, tx: &mut Tx, id: &GroupId) -> Result<Over<GroupId>> {
        let row = tx.query_opt("SELECT domain_id FROM user_groups WHERE id = $1", &params![id])?;
        let domain: DomainId = row.ok_or_else(|| Error::not_found("group", id.as_str()))?.get(0)?;
        let power = self.power(tx)?;
        if !power.rules(&domain) {
            return refuse("It takes a role that rules the domain of this group to change it.");
        }
        if !power.is_the_clouds() && !held::ever_of_group(tx, id)?.iter().all(|claim| power.covers(claim)) {
            return refuse(
                "The members of this group have roles by it that you could not give. Ask somebody who has them, or an \
                 administrator of the cloud.",
            );
        }
        Ok(Over::new(id.clone(), power.is_the_clouds()))
    }

    /// Over what an assignment gives, or takes away.
    pub fn over_assignment(&self, tx: &mut Tx, assignment: Assignment) -> Result<Over<Assignment>> {
        let power = self.power(tx)?;
        let is_covered = power.is_the_clouds() || power.covers(&held::by(tx, &assignment)?);
        if !is_covered {
            return refuse(&format!(
                "You have not the role {} there, with all that it implies, and may not give it there: so you can neither hand \
                 it out nor take it away.",
                assignment.role
            ));
        }
        Ok(Over::new(assignment, power.is_the_clouds()))
    }

    /// Over a domain, to put people, groups and projects into it.
    pub fn over_domain(&self, tx: &mut Tx, id: &DomainId) -> Result<Over<DomainId>> {
        let power = self.power(tx)?;
        if !power.rules(id) {
            return refuse("It takes a role that rules this domain to put something into it.");
        }
        Ok(Over::new(id.clone(), power.is_the_clouds()))
    }

    /// Over a project, by which some may hold what reaches beyond its domain.
    pub fn over_project(&self, tx: &mut Tx, id: &ProjectId) -> Result<Over<ProjectId>> {
        let row = tx.query_opt("SELECT domain_id FROM projects WHERE id = $1", &params![id])?;
        let domain: DomainId = row.ok_or_else(|| Error::not_found("project", id.as_str()))?.get(0)?;
        let power = self.power(tx)?;
        if !power.rules(&domain) {
            return refuse("It takes a role that rules the domain of this project to change it.");
        }
        if !power.is_the_clouds() && !power.covers_far(&held::given_in(tx, id)?) {
            return refuse(
                "Somebody rules more than this domain through this project, so only an administrator of the cloud changes it.",
            );
        }
        Ok(Over::new(id.clone(), power.is_the_clouds()))
    }

    /// Over what is everybody's.
    pub fn over_cloud(&self, tx: &mut Tx) -> Result<Over<Cloud>> {
        if self.power(tx)?.is_the_clouds() {
            return Ok(Over::new(Cloud, true));
        }
        refuse("This changes what others may do in the whole cloud, so only an administrator of the cloud does it.")
    }
}

/// The roles of a token, in the place that it is for.
fn claims_of(valid: &ValidToken) -> Vec<Claim> {
    let (place, domain) = match &valid.caller.scope {
        TokenScope::Project(project) => (Place::Project(project.id.clone()), Some(project.domain.id.clone())),
        TokenScope::Domain(domain) => (Place::Domain(domain.id.clone()), Some(domain.id.clone())),
        TokenScope::System => (Place::System, None),
        TokenScope::Unscoped => return vec![],
    };
    let claim = |role: &contracts::caller::RoleFacts| Claim {
        role: role.id.clone(),
        place: place.clone(),
        inherited: false,
        domain: domain.clone(),
        above: vec![],
    };
    valid.caller.roles.iter().map(claim).collect()
}

pub fn outside() -> Error {
    Error::Forbidden("This token was issued via delegation: it reaches only the EC2 keys that were made with it.".into())
}

fn refuse<T>(why: &str) -> Result<T> {
    Err(Error::Forbidden(why.to_owned()))
}
