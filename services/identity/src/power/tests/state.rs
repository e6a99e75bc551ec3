// SPDX-License-Identifier: Apache-2.0
//! What everybody has, reckoned a second time and in the plainest way: all tables are read whole, and each question is
//! answered by walking through them. Nothing here is shared with what is tested.
//!
//! Things are called by their names, which are unique in the arena.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use access::Allowed;
use store::Tx;

use crate::{
    Identity,
    credential::{blob::Ec2Blob, table as credentials},
};

/// Where a role holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    Project(String),
    Domain(String),
    BelowProject(String),
    BelowDomain(String),
    System,
    Nowhere,
}

/// A role's name in a place.
pub type Atom = (String, Spot);
pub type Atoms = BTreeSet<Atom>;

/// With what one logs in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Account(String),
    Program(String),
    Trust(String),
    Ec2(String),
}

#[derive(Debug, Clone)]
pub struct Trust {
    pub trustor: String,
    pub trustee: String,
    pub project: String,
    pub roles: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Kept {
    pub user: String,
    pub project: Option<String>,
    pub kind: String,
    pub bound: Option<Key>,
}

#[derive(Debug, Clone, Default)]
pub struct State {
    /// With the domain, and the project above.
    pub projects: BTreeMap<String, (String, Option<String>)>,
    pub disabled: BTreeSet<String>,
    pub domains: BTreeSet<String>,
    /// With their domains.
    pub users: BTreeMap<String, String>,
    pub groups: BTreeMap<String, String>,
    pub members: BTreeSet<(String, String)>,
    /// With the domain whose own it is.
    pub roles: BTreeMap<String, Option<String>>,
    pub implied: BTreeSet<(String, String)>,
    pub given: BTreeSet<(String, String, Spot)>,
    pub trusts: BTreeMap<String, Trust>,
    /// User, project, roles.
    pub programs: BTreeMap<String, (String, String, Vec<String>)>,
    pub kept: BTreeMap<String, Kept>,
    /// What was reckoned already.
    reckoned: RefCell<BTreeMap<Key, Atoms>>,
}

const NEAR_OF_A_MANAGER: [&str; 3] = ["manager", "member", "reader"];

fn is_far(role: &str) -> bool {
    role.eq_ignore_ascii_case("admin") || role.eq_ignore_ascii_case("service")
}

impl State {
    pub async fn read(room: &Identity, trusts: &BTreeMap<String, String>, kept: &BTreeMap<String, String>) -> Self {
        let (ring, trusts, kept) = (room.credential_ring(), trusts.clone(), kept.clone());
        let read = move |tx: &mut Tx| {
            let mut state = Self::default();
            let names = Names::read(tx);
            state.read_places(tx);
            state.read_people(tx);
            state.read_gifts(tx, &names, &trusts);
            let all = credentials::list(tx, &ring, &credentials::select(&Allowed::for_work("test")))?;
            for (name, id) in &kept {
                let Some(found) = all.iter().find(|credential| credential.id.as_str() == id) else { continue };
                let keys = Ec2Blob::parse(&found.blob).ok();
                let bound = keys.as_ref().and_then(|keys| match (keys.trust_id(), keys.application_credential_id()) {
                    (Some(id), _) => Some(Key::Trust(name_of(&trusts, id))),
                    (None, Some(id)) => Some(Key::Program(names.of(id))),
                    (None, None) => None,
                });
                let (user, project) =
                    (names.of(found.user_id.as_str()), found.project_id.as_ref().map(|id| names.of(id.as_str())));
                state.kept.insert(name.clone(), Kept { user, project, kind: found.kind.clone(), bound });
            }
            Ok(state)
        };
        room.read(read).await.unwrap()
    }

    fn read_places(&mut self, tx: &mut Tx) {
        for row in tx.query("SELECT name, enabled FROM domains", &[]).unwrap() {
            self.domains.insert(row.get(0).unwrap());
            if !row.get::<bool>(1).unwrap() {
                self.disabled.insert(row.get(0).unwrap());
            }
        }
        let sql = "SELECT p.name, d.name, above.name, p.enabled FROM projects p JOIN domains d ON d.id = p.domain_id \
                   LEFT JOIN projects above ON above.id = p.parent_id";
        for row in tx.query(sql, &[]).unwrap() {
            self.projects.insert(row.get(0).unwrap(), (row.get(1).unwrap(), row.get(2).unwrap()));
            if !row.get::<bool>(3).unwrap() {
                self.disabled.insert(row.get(0).unwrap());
            }
        }
    }

    fn read_people(&mut self, tx: &mut Tx) {
        for row in tx.query("SELECT u.name, d.name FROM users u JOIN domains d ON d.id = u.domain_id", &[]).unwrap() {
            self.users.insert(row.get(0).unwrap(), row.get(1).unwrap());
        }
        for row in tx.query("SELECT g.name, d.name FROM user_groups g JOIN domains d ON d.id = g.domain_id", &[]).unwrap() {
            self.groups.insert(row.get(0).unwrap(), row.get(1).unwrap());
        }
        let sql = "SELECT g.name, u.name FROM group_members m JOIN user_groups g ON g.id = m.group_id \
                   JOIN users u ON u.id = m.user_id";
        for row in tx.query(sql, &[]).unwrap() {
            self.members.insert((row.get(0).unwrap(), row.get(1).unwrap()));
        }
        for row in tx.query("SELECT r.name, d.name FROM roles r LEFT JOIN domains d ON d.id = r.domain_id", &[]).unwrap() {
            self.roles.insert(row.get(0).unwrap(), row.get(1).unwrap());
        }
    }

    fn read_gifts(&mut self, tx: &mut Tx, names: &Names, trusts: &BTreeMap<String, String>) {
        for row in tx.query("SELECT prior_role_id, implied_role_id FROM implied_roles", &[]).unwrap() {
            self.implied.insert((names.of(row.get(0).unwrap()), names.of(row.get(1).unwrap())));
        }
        let sql = "SELECT actor_id, target_kind, target_id, role_id, inherited FROM role_assignments";
        for row in tx.query(sql, &[]).unwrap() {
            let target = names.of(row.get(2).unwrap());
            let spot = match (row.get::<&str>(1).unwrap(), row.get::<bool>(4).unwrap()) {
                ("project", false) => Spot::Project(target),
                ("project", true) => Spot::BelowProject(target),
                ("domain", false) => Spot::Domain(target),
                ("domain", true) => Spot::BelowDomain(target),
                _ => Spot::System,
            };
            self.given.insert((names.of(row.get(0).unwrap()), names.of(row.get(3).unwrap()), spot));
        }
        for row in tx.query("SELECT name, user_id, project_id, role_ids FROM application_credentials", &[]).unwrap() {
            let roles = names.of_all(&row.json::<Vec<String>>(3).unwrap());
            let whose = (names.of(row.get(1).unwrap()), names.of(row.get(2).unwrap()), roles);
            self.programs.insert(row.get(0).unwrap(), whose);
        }
        let sql = "SELECT id, trustor_user_id, trustee_user_id, project_id, role_ids FROM trusts WHERE project_id IS NOT NULL";
        for row in tx.query(sql, &[]).unwrap() {
            let trust = Trust {
                trustor: names.of(row.get(1).unwrap()),
                trustee: names.of(row.get(2).unwrap()),
                project: names.of(row.get(3).unwrap()),
                roles: names.of_all(&row.json::<Vec<String>>(4).unwrap()),
            };
            self.trusts.insert(name_of(trusts, row.get(0).unwrap()), trust);
        }
    }

    /// What a key opens.
    pub fn of_key(&self, key: &Key) -> Atoms {
        if let Some(known) = self.reckoned.borrow().get(key) {
            return known.clone();
        }
        let atoms = self.reckon(key);
        self.reckoned.borrow_mut().insert(key.clone(), atoms.clone());
        atoms
    }

    fn reckon(&self, key: &Key) -> Atoms {
        match key {
            Key::Account(user) => {
                let mut atoms = self.of_user(user);
                for trust in self.trusts.values().filter(|trust| trust.trustee == *user) {
                    atoms.extend(
                        self.with_implied(&trust.roles).into_iter().map(|role| (role, Spot::Project(trust.project.clone()))),
                    );
                }
                atoms
            }
            Key::Program(name) => match self.programs.get(name) {
                Some((user, project, roles)) => self.part(user, project, roles),
                None => Atoms::new(),
            },
            Key::Trust(name) => match self.trusts.get(name) {
                Some(trust) => {
                    let roles = self.with_implied(&trust.roles).into_iter();
                    roles.map(|role| (role, Spot::Project(trust.project.clone()))).collect()
                }
                None => Atoms::new(),
            },
            Key::Ec2(name) => match self.kept.get(name) {
                Some(Kept { bound: Some(bound), .. }) => self.of_key(bound),
                Some(Kept { user, project: Some(project), .. }) => {
                    let roles = self.roles_in(user, project);
                    roles.into_iter().map(|role| (role, Spot::Project(project.clone()))).collect()
                }
                _ => Atoms::new(),
            },
        }
    }

    /// What a token that was had by a key is good for. The owner of an account has his trusts by tokens of theirs.
    pub fn wielded_by(&self, key: &Key) -> Atoms {
        self.awake(&match key {
            Key::Account(user) => self.of_user(user),
            _ => self.of_key(key),
        })
    }

    /// The delegation for which an EC2 key stands, or the key itself.
    pub fn root_of<'a>(&'a self, key: &'a Key) -> &'a Key {
        match key {
            Key::Ec2(name) => self.kept.get(name).and_then(|kept| kept.bound.as_ref()).unwrap_or(key),
            _ => key,
        }
    }

    /// Whose account a key is a part of.
    pub fn owners_of(&self, key: &Key) -> Vec<String> {
        match key {
            Key::Account(_) => vec![],
            Key::Program(name) => self.programs.get(name).map(|(user, ..)| user.clone()).into_iter().collect(),
            Key::Trust(name) => self.trusts.get(name).map(|it| vec![it.trustor.clone(), it.trustee.clone()]).unwrap_or_default(),
            Key::Ec2(name) => match self.kept.get(name) {
                Some(Kept { bound: Some(bound), .. }) => self.owners_of(bound),
                Some(kept) => vec![kept.user.clone()],
                None => vec![],
            },
        }
    }

    /// What the members of a group have by it.
    pub fn of_group(&self, group: &str) -> Atoms {
        let given = self.given.iter().filter(|(holder, ..)| holder == group);
        given
            .flat_map(|(_, role, spot)| {
                self.with_implied(std::slice::from_ref(role)).into_iter().map(|role| (role, spot.clone()))
            })
            .collect()
    }

    pub fn of_keys<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Atoms {
        keys.into_iter().flat_map(|key| self.of_key(key)).collect()
    }

    /// Those in places that are enabled.
    pub fn awake(&self, atoms: &Atoms) -> Atoms {
        atoms.iter().filter(|(_, spot)| self.is_awake(spot)).cloned().collect()
    }

    fn is_awake(&self, spot: &Spot) -> bool {
        match spot {
            Spot::Project(name) | Spot::BelowProject(name) => {
                !self.disabled.contains(name)
                    && self.projects.get(name).is_some_and(|(domain, _)| !self.disabled.contains(domain))
            }
            Spot::Domain(name) | Spot::BelowDomain(name) => !self.disabled.contains(name),
            Spot::System | Spot::Nowhere => true,
        }
    }

    fn of_user(&self, user: &str) -> Atoms {
        let groups = self.members.iter().filter(|(_, member)| member == user).map(|(group, _)| group.as_str());
        let holders: Vec<&str> = groups.chain([user]).collect();
        let given = self.given.iter().filter(|(holder, ..)| holders.contains(&holder.as_str()));
        given
            .flat_map(|(_, role, spot)| {
                self.with_implied(std::slice::from_ref(role)).into_iter().map(|role| (role, spot.clone()))
            })
            .collect()
    }

    fn part(&self, user: &str, project: &str, roles: &[String]) -> Atoms {
        let held = self.roles_in(user, project);
        let roles = self.with_implied(roles).into_iter().filter(|role| held.contains(role));
        roles.map(|role| (role, Spot::Project(project.to_owned()))).collect()
    }

    fn roles_in(&self, user: &str, project: &str) -> BTreeSet<String> {
        let spots = self.reach_into(project);
        self.of_user(user).into_iter().filter(|(_, spot)| spots.contains(spot)).map(|(role, _)| role).collect()
    }

    /// The places from which a role holds in a project.
    fn reach_into(&self, project: &str) -> Vec<Spot> {
        let mut spots = vec![Spot::Project(project.to_owned())];
        let mut at = self.projects.get(project);
        while let Some((domain, above)) = at {
            match above {
                Some(above) => spots.push(Spot::BelowProject(above.clone())),
                None => spots.push(Spot::BelowDomain(domain.clone())),
            }
            at = above.as_ref().and_then(|above| self.projects.get(above));
        }
        spots
    }

    /// These roles, and those that they imply; a domain's own are names only.
    fn with_implied(&self, roles: &[String]) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = roles.iter().cloned().collect();
        loop {
            let more: Vec<String> = self
                .implied
                .iter()
                .filter(|(prior, role)| all.contains(prior) && !all.contains(role))
                .map(|(_, role)| role.clone())
                .collect();
            if more.is_empty() {
                return all.into_iter().filter(|role| self.roles.get(role) == Some(&None)).collect();
            }
            all.extend(more);
        }
    }

    pub fn domain_of(&self, spot: &Spot) -> Option<String> {
        match spot {
            Spot::Project(name) | Spot::BelowProject(name) => self.projects.get(name).map(|(domain, _)| domain.clone()),
            Spot::Domain(name) | Spot::BelowDomain(name) => Some(name.clone()),
            Spot::System | Spot::Nowhere => None,
        }
    }

    /// Whether who has these has everything: `admin` anywhere but in a domain.
    pub fn is_everything(atoms: &Atoms) -> bool {
        atoms.iter().any(|(role, spot)| role.eq_ignore_ascii_case("admin") && !matches!(spot, Spot::Domain(_)))
    }

    pub fn rules(atoms: &Atoms, domain: &str) -> bool {
        let at = Spot::Domain(domain.to_owned());
        Self::is_everything(atoms) || ["admin", "manager"].iter().any(|role| atoms.contains(&((*role).to_owned(), at.clone())))
    }

    /// Whether who has these could give himself this one.
    pub fn covers(&self, atoms: &Atoms, (role, spot): &Atom) -> bool {
        if atoms.contains(&(role.clone(), spot.clone())) || Self::is_everything(atoms) {
            return true;
        }
        let is_a_domain = matches!(spot, Spot::Domain(_));
        if is_far(role) {
            return !is_a_domain && atoms.iter().any(|(own, at)| own == role && !matches!(at, Spot::Domain(_)));
        }
        let Some(domain) = self.domain_of(spot) else { return false };
        let has = |role: &str, spot: Spot| atoms.contains(&(role.to_owned(), spot));
        let rules = has("admin", Spot::Domain(domain.clone()))
            || has("manager", Spot::Domain(domain.clone())) && NEAR_OF_A_MANAGER.contains(&role.as_str());
        let from_above = match spot {
            Spot::Project(name) => self.reach_into(name).into_iter().any(|spot| has(role, spot)),
            Spot::BelowProject(name) => {
                has(role, Spot::BelowDomain(domain)) || self.reach_into(name).into_iter().skip(1).any(|spot| has(role, spot))
            }
            Spot::Domain(_) | Spot::BelowDomain(_) | Spot::System | Spot::Nowhere => false,
        };
        rules || from_above
    }

    pub fn is_far(role: &str) -> bool {
        is_far(role)
    }
}

/// Everything's name by its id.
struct Names(BTreeMap<String, String>);

impl Names {
    fn read(tx: &mut Tx) -> Self {
        let tables = ["domains", "projects", "users", "user_groups", "roles", "application_credentials"];
        let all = tables.iter().flat_map(|table| tx.query(&format!("SELECT id, name FROM {table}"), &[]).unwrap());
        Self(all.map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect())
    }

    /// What is gone has its id for a name.
    fn of(&self, id: &str) -> String {
        self.0.get(id).map_or_else(|| id.to_owned(), Clone::clone)
    }

    fn of_all(&self, ids: &[String]) -> Vec<String> {
        ids.iter().map(|id| self.of(id)).collect()
    }
}

fn name_of(known: &BTreeMap<String, String>, id: &str) -> String {
    known.iter().find(|(_, own)| *own == id).map_or_else(|| id.to_owned(), |(name, _)| name.clone())
}
