// SPDX-License-Identifier: Apache-2.0
//! What a trust gives at this moment.

use contracts::caller::RoleFacts;
use store::Tx;
use types::{ProjectId, Timestamp};

use super::{Trust, chain::Chain};
use crate::{
    assignment::{Place, effective},
    error::{Error, Result},
    role::table::AllRoles,
};

#[derive(Debug)]
pub struct Delegated {
    pub project: ProjectId,
    /// Of the whole cloud, sorted by name.
    pub roles: Vec<RoleFacts>,
    /// See [`Chain::void_until`].
    pub void_until: Timestamp,
}

/// The trustor has to have each delegated role, and those that it implies, now; where one is missing nothing is left.
/// Why there is nothing is said in a sentence for the trustee, who is told when he asks for a token.
pub fn delegated(tx: &mut Tx, trust: &Trust) -> Result<Delegated> {
    let refuse = |why: &str| Err(Error::Forbidden(why.to_owned()));
    let chain = Chain::of(tx, trust)?;
    if !chain.is_enabled {
        return refuse("One of the users of this trust is disabled.");
    }
    let Some(project) = trust.project.clone() else {
        return refuse("This trust delegates nothing: it is for no project.");
    };
    let all = AllRoles::load(tx)?;
    let place = Place::Project(project.clone());
    let held = effective::all_roles_of(tx, &all, &chain.first_trustor, &place)?;
    let given = all.closure(trust.roles.iter().cloned());
    let is_whole = trust.roles.iter().all(|role| all.by_id.contains_key(role)) && given.iter().all(|role| held.contains(role));
    if !is_whole || given.is_empty() {
        return refuse("The trustor has not all of the delegated roles any more.");
    }
    Ok(Delegated { project, roles: effective::told(&all, &given), void_until: chain.void_until })
}
