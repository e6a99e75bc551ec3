// SPDX-License-Identifier: Apache-2.0
//! Power: which roles somebody can come to have, and where.
//!
//! Policies say which door is open to a token. This says how far one may go in: whoever gives a role, a group or a key to
//! somebody, or takes over what is somebody's (a password, a factor, a key, an account), must have all that the other
//! gains, or that the other has. [`Power`] is what somebody has, a [`Claim`] what is given or taken, and [`Power::covers`]
//! the one question. Its yes is an [`Over`], without which no function of a store changes such a thing.
//!
//! What counts as power:
//! - a role in a place, with the roles that it implies, directly, through a group, or inherited from above;
//! - a role that reaches far by the rules in force (`access::Enforcer::reaches_far`) is had everywhere, wherever it was
//!   given, but for one that was given in a domain: a token for a domain is heard for that domain only;
//! - who may give roles in a domain (`identity:create_grant`) has in it all that he may give there, the far reaching apart;
//! - who may give any role to anybody is the cloud's, and has everything.
//!
//! Of him who acts counts what he has now; of him who is acted upon whatever he can come to have: in a project that is
//! disabled, by a trust, by the next login at an identity provider.
//!
//! Invariant: nobody's power grows but by the hand of somebody who had it (test: `nobody_gains_power_but_from_who_had_it`).
//! Invariant: to ask for power costs the same number of statements whatever is in the tables (test:
//! `power_costs_a_constant_number_of_statements`).

mod held;
mod over;
#[cfg(test)]
mod tests;
mod wielder;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use access::{Enforcer, supposed};
use contracts::caller::{DomainFacts, ProjectFacts, TokenScope};
use types::{DomainId, ProjectId, RoleId};

use crate::{
    assignment::{Place, policies as grants},
    role::{Role, table::AllRoles},
};

pub use over::{Cloud, Over};
pub use wielder::{Wielder, outside};

/// A role somewhere, and what lies around that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub role: RoleId,
    pub place: Place,
    /// Below the place, not in it.
    pub inherited: bool,
    /// In which the place lies, or which it is; none for the system.
    pub domain: Option<DomainId>,
    /// The projects above, if it is a project.
    pub above: Vec<ProjectId>,
}

/// What somebody who acts has.
#[derive(Debug)]
pub struct Power {
    roles: AllRoles,
    is_the_clouds: bool,
    held: HashSet<(RoleId, Place, bool)>,
    /// Of those held, the ones that are held everywhere.
    far: HashSet<RoleId>,
    /// The roles that may be given in a domain.
    gifts: HashMap<DomainId, HashSet<RoleId>>,
    /// All roles that reach far, whoever has them.
    reach_far: HashSet<RoleId>,
}

impl Claim {
    fn is_of_a_domain_itself(&self) -> bool {
        matches!(self.place, Place::Domain(_)) && !self.inherited
    }
}

impl Power {
    /// Of somebody who holds these roles.
    pub fn new(roles: AllRoles, enforcer: &Arc<Enforcer>, claims: &[Claim]) -> Self {
        let of_cloud = roles.by_id.values().filter(|role| role.domain_id.is_none());
        let reach_far = of_cloud.filter(|role| enforcer.reaches_far(&role.name)).map(|role| role.id.clone()).collect();
        let mut power =
            Self { roles, is_the_clouds: false, held: HashSet::new(), far: HashSet::new(), gifts: HashMap::new(), reach_far };
        let mut in_domains: HashMap<DomainId, HashSet<RoleId>> = HashMap::new();
        for claim in claims {
            let told: Vec<RoleId> = power.told(claim).map(|role| role.id.clone()).collect();
            if let (true, Place::Domain(domain)) = (claim.is_of_a_domain_itself(), &claim.place) {
                in_domains.entry(domain.clone()).or_default().extend(told.iter().cloned());
            } else {
                power.far.extend(told.iter().filter(|role| power.reach_far.contains(*role)).cloned());
            }
            power.held.extend(told.into_iter().map(|role| (role, claim.place.clone(), claim.inherited)));
        }
        power.is_the_clouds = power.may_give_anything(enforcer, claims);
        for (domain, held) in in_domains {
            let gifts = power.gifts_in(enforcer, &domain, &held);
            power.gifts.insert(domain, gifts);
        }
        power
    }

    /// Whether it is everything.
    pub fn is_the_clouds(&self) -> bool {
        self.is_the_clouds
    }

    /// Whether people, groups and projects of this domain are among what is ruled.
    pub fn rules(&self, domain: &DomainId) -> bool {
        self.is_the_clouds || self.gifts.get(domain).is_some_and(|gifts| !gifts.is_empty())
    }

    /// Whether whoever has this has at least that.
    pub fn covers(&self, claim: &Claim) -> bool {
        self.is_the_clouds || self.told(claim).all(|role| self.covers_role(role, claim))
    }

    /// Whether the far reaching roles among these are had; of the others this does not ask.
    pub fn covers_far(&self, claims: &[Claim]) -> bool {
        let far = |claim: &&Claim| self.told(claim).any(|role| self.reach_far.contains(&role.id));
        claims.iter().filter(far).all(|claim| self.covers(claim))
    }

    fn covers_role(&self, role: &Role, claim: &Claim) -> bool {
        let holds_in = |place: Place, inherited| self.held.contains(&(role.id.clone(), place, inherited));
        if holds_in(claim.place.clone(), claim.inherited) {
            return true;
        }
        if self.reach_far.contains(&role.id) {
            return !claim.is_of_a_domain_itself() && self.far.contains(&role.id);
        }
        let Some(domain) = &claim.domain else { return false };
        let by_gift = self.gifts.get(domain).is_some_and(|gifts| gifts.contains(&role.id));
        let from_domain = !claim.is_of_a_domain_itself() && holds_in(Place::Domain(domain.clone()), true);
        let from_above = || claim.above.iter().any(|above| holds_in(Place::Project(above.clone()), true));
        by_gift || from_domain || from_above()
    }

    /// The roles of the whole cloud that come with it: a domain's own is a name for those that it implies.
    fn told(&self, claim: &Claim) -> impl Iterator<Item = &Role> {
        let all = self.roles.closure([claim.role.clone()]);
        all.into_iter().filter_map(|id| self.roles.by_id.get(&id)).filter(|role| role.domain_id.is_none())
    }

    /// Asks the policy of grants what tokens with these roles would be good for.
    fn may_give_anything(&self, enforcer: &Enforcer, claims: &[Claim]) -> bool {
        let mut by_place: HashMap<(&Place, bool), (&Claim, HashSet<&str>)> = HashMap::new();
        for claim in claims.iter().filter(|claim| !claim.is_of_a_domain_itself()) {
            let names = self.told(claim).map(|role| role.name.as_str());
            by_place.entry((&claim.place, claim.inherited)).or_insert_with(|| (claim, HashSet::new())).1.extend(names);
        }
        // Without a far reaching role no token opens anything beyond its place.
        let is_far = |names: &HashSet<&str>| names.iter().any(|name| enforcer.reaches_far(name));
        let telling = by_place.into_values().filter(|(claim, names)| claim.place == Place::System || is_far(names));
        telling.into_iter().any(|(claim, names)| grants::may_give_anything(enforcer, &supposed(names, scope_of(claim))))
    }

    fn gifts_in(&self, enforcer: &Enforcer, domain: &DomainId, held: &HashSet<RoleId>) -> HashSet<RoleId> {
        let names = held.iter().filter_map(|id| self.roles.by_id.get(id)).map(|role| role.name.as_str());
        let caller = supposed(names, TokenScope::Domain(facts(domain)));
        let near = self.roles.by_id.values().filter(|role| role.domain_id.is_none() && !self.reach_far.contains(&role.id));
        near.filter(|role| grants::may_give(enforcer, &caller, domain, role)).map(|role| role.id.clone()).collect()
    }
}

/// Of the tokens that somebody with this claim can have.
fn scope_of(claim: &Claim) -> TokenScope {
    let domain = facts(claim.domain.as_ref().unwrap_or(&DomainId::from("")));
    match &claim.place {
        Place::System => TokenScope::System,
        Place::Project(id) => TokenScope::Project(ProjectFacts { id: id.clone(), name: String::new(), domain }),
        // Inherited from the domain: for any project in it.
        Place::Domain(_) => TokenScope::Project(ProjectFacts { id: "".into(), name: String::new(), domain }),
    }
}

fn facts(domain: &DomainId) -> DomainFacts {
    DomainFacts { id: domain.clone(), name: String::new() }
}
