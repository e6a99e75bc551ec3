// SPDX-License-Identifier: Apache-2.0
//! Three domains with people, groups and projects, and what each of the people knows: the keys with which to log in.

use std::collections::{BTreeMap, BTreeSet};

use access::payload::{Methods, PayloadScope};
use evidence::DomainRef;
use serde_json::{Value, json};
use store::Actor;

use super::{
    deed::{Act, Deed, Outcome},
    state::{Key, Spot, State},
};
use crate::{
    token::{
        named::ProjectRef,
        proved::{Bound, Proved},
        scope::ScopeRequest,
    },
    user::{Account, UserRef, table as users},
    world::World,
};

pub struct Arena {
    pub world: World,
    /// By kind and name.
    ids: BTreeMap<(String, String), String>,
    pub trusts: BTreeMap<String, String>,
    pub kept: BTreeMap<String, String>,
    /// What each of the people knows. Beside users there are programs, whom somebody gave one key.
    pub people: BTreeMap<String, BTreeSet<Key>>,
}

pub const DOMAINS: [&str; 3] = ["Default", "corp", "labs"];
pub const ROLES: [&str; 6] = ["reader", "member", "manager", "admin", "service", "auditor"];
const USERS_EACH: usize = 3;

impl Arena {
    pub async fn new() -> Self {
        let world = World::new().await;
        let mut arena =
            Self { world, ids: BTreeMap::new(), trusts: BTreeMap::new(), kept: BTreeMap::new(), people: BTreeMap::new() };
        arena.make("roles", "role", "auditor", json!({})).await;
        for domain in DOMAINS {
            if domain != "Default" {
                arena.make("domains", "domain", domain, json!({})).await;
            } else {
                arena.put("domains", domain, "default");
            }
            let id = arena.id("domains", domain).unwrap();
            for i in 0..USERS_EACH {
                let name = format!("{domain} user {i}");
                arena.make("users", "user", &name, json!({"domain_id": id})).await;
                arena.people.insert(name.clone(), BTreeSet::from([Key::Account(name)]));
            }
            for i in 0..2 {
                arena.make("groups", "group", &format!("{domain} group {i}"), json!({"domain_id": id})).await;
            }
            let top = format!("{domain} project");
            arena.make("projects", "project", &top, json!({"domain_id": id})).await;
            let above = arena.id("projects", &top).unwrap();
            arena.make("projects", "project", &format!("{domain} part"), json!({"domain_id": id, "parent_id": above})).await;
        }
        for role in ROLES {
            let id = arena.world.id("roles", role).await;
            arena.put("roles", role, &id);
        }
        for name in ["admin", "demo"] {
            let (user, project) = (arena.world.id("users", name).await, arena.world.id("projects", name).await);
            arena.put("users", name, &user);
            arena.put("projects", name, &project);
            arena.people.insert(name.to_owned(), BTreeSet::from([Key::Account(name.to_owned())]));
        }
        arena
    }

    async fn make(&mut self, kind: &str, one: &str, name: &str, mut fields: Value) {
        fields["name"] = name.into();
        let id = self.world.create(kind, one, fields).await;
        self.put(kind, name, &id);
    }

    fn put(&mut self, kind: &str, name: &str, id: &str) {
        self.ids.insert((kind.to_owned(), name.to_owned()), id.to_owned());
    }

    pub fn id(&self, kind: &str, name: &str) -> Option<String> {
        self.ids.get(&(kind.to_owned(), name.to_owned())).cloned()
    }

    pub async fn state(&self) -> State {
        State::read(&self.world.room, &self.trusts, &self.kept).await
    }

    /// Does it, if all that it needs is there and a token can be had. None: nothing was asked.
    pub async fn attempt(&mut self, deed: &Deed, state: &State) -> Option<Outcome> {
        if !self.people.get(&deed.who)?.contains(&deed.key) {
            return None;
        }
        let (method, path, body) = deed.act.request(deed.number, |kind, name| self.id(kind, name))?;
        let token = self.log_in(&deed.key, &deed.scope, state).await?;
        let answer = self.world.ask(method, &path, &token, body).await;
        assert!(!answer.status.is_server_error(), "{deed:?}: {}", answer.body);
        let outcome = Outcome { status: answer.status, body: answer.body };
        if outcome.status.is_success() {
            self.learn(deed, &outcome.body, state);
        }
        Some(outcome)
    }

    /// A token, bought by the room's own rules from what the key proves; only passwords and signatures are left out,
    /// which cost more than all else.
    async fn log_in(&self, key: &Key, scope: &Spot, state: &State) -> Option<String> {
        let (user, methods, bound, asked) = match key {
            Key::Account(user) => (user.clone(), Methods::PASSWORD, None, Some(self.asked(scope)?)),
            Key::Program(name) => {
                let (user, project, _) = state.programs.get(name)?;
                let credential = self.id("programs", name)?.rsplit('/').next()?.to_owned();
                let bound = PayloadScope::ApplicationCredential { project: self.id("projects", project)?.into(), credential };
                (user.clone(), Methods::APPLICATION_CREDENTIAL, Some(Bound::To(bound)), None)
            }
            Key::Trust(name) => {
                let trustee = state.trusts.get(name)?.trustee.clone();
                (trustee, Methods::PASSWORD, None, Some(ScopeRequest::Trust(self.trusts.get(name)?.clone())))
            }
            Key::Ec2(name) => {
                let kept = state.kept.get(name)?;
                if let Some(bound) = &kept.bound {
                    return Box::pin(self.log_in(bound, scope, state)).await;
                }
                let bound = PayloadScope::Project(self.id("projects", kept.project.as_ref()?)?.into());
                (kept.user.clone(), Methods::EC2_CREDENTIAL, Some(Bound::To(bound)), None)
            }
        };
        let mut proved = Proved { bound, ..Proved::default() };
        proved.add(self.account(&user).await?, methods).ok()?;
        let issued = self.world.room.issue(proved, asked, Actor::system("test")).await.ok()?;
        Some(issued.token)
    }

    fn asked(&self, scope: &Spot) -> Option<ScopeRequest> {
        Some(match scope {
            Spot::Project(name) => ScopeRequest::Project(ProjectRef::Id(self.id("projects", name)?.into())),
            Spot::Domain(name) => ScopeRequest::Domain(DomainRef::Id(self.id("domains", name)?.into())),
            Spot::System => ScopeRequest::System,
            _ => ScopeRequest::Unscoped,
        })
    }

    async fn account(&self, user: &str) -> Option<Account> {
        let id = UserRef::Id(self.id("users", user)?.into());
        self.world.room.read(move |tx| users::account(tx, &id)).await.unwrap()
    }

    /// What came of a deed that was done: new names, and what he who did it knows now.
    fn learn(&mut self, deed: &Deed, body: &Value, state: &State) {
        let number = deed.number;
        let made = |one: &str| body[one]["id"].as_str().unwrap_or_default().to_owned();
        match &deed.act {
            Act::MakeUser { .. } => {
                let name = format!("user{number}");
                self.put("users", &name, &made("user"));
                self.people.insert(name.clone(), BTreeSet::from([Key::Account(name.clone())]));
                self.know(&deed.who, Key::Account(name));
            }
            Act::SetPassword { user } => {
                // Whoever knew the one before is out, but for him whose it is.
                let account = Key::Account(user.clone());
                self.people.iter_mut().filter(|(who, _)| *who != user).for_each(|(_, keys)| _ = keys.remove(&account));
                self.know(&deed.who, account);
            }
            Act::MakeGroup { .. } => self.put("groups", &format!("group{number}"), &made("group")),
            Act::MakeProject { .. } => self.put("projects", &format!("project{number}"), &made("project")),
            Act::MakeRole { .. } => self.put("roles", &format!("role{number}"), &made("role")),
            Act::RenameRole { role } => {
                if let Some(id) = self.ids.remove(&("roles".to_owned(), role.clone())) {
                    self.put("roles", &format!("role{number}"), &id);
                }
            }
            Act::Keep { user, kind, .. } => {
                self.keep(format!("kept{number}"), made("credential"));
                self.know_kept(&deed.who, &format!("kept{number}"), kind, user);
            }
            Act::MakeEc2 { user, .. } => {
                let name = format!("kept{number}");
                let access = body["credential"]["access"].as_str().unwrap_or_default();
                self.keep(name.clone(), crate::credential::blob::id_of_access_key(access).as_str().to_owned());
                self.know_kept(&deed.who, &name, "ec2", user);
                self.people.insert(format!("holder of {name}"), BTreeSet::from([Key::Ec2(name)]));
            }
            Act::ReadKept => {
                for one in body["credentials"].as_array().unwrap() {
                    self.read(&deed.who, one["id"].as_str().unwrap_or_default(), one["blob"].as_str(), state);
                }
            }
            Act::ShowKept { .. } => {
                self.read(&deed.who, &made("credential"), body["credential"]["blob"].as_str(), state);
            }
            Act::ReadEc2 { .. } => {
                for one in body["credentials"].as_array().unwrap() {
                    let id = crate::credential::blob::id_of_access_key(one["access"].as_str().unwrap_or_default());
                    self.read(&deed.who, id.as_str(), one["secret"].as_str(), state);
                }
            }
            Act::NewSecret { kept } | Act::MoveKept { kept, .. } => {
                let (id, answered) = (self.kept.get(kept).cloned().unwrap_or_default(), body["credential"]["blob"].as_str());
                self.read(&deed.who, &id, answered, state);
                if let (Act::MoveKept { user: Some(user), .. }, Some("totp")) = (&deed.act, body["credential"]["type"].as_str()) {
                    self.know(&deed.who, Key::Account(user.clone()));
                }
            }
            Act::MakeProgram { user, .. } => {
                let name = format!("program{number}");
                let address =
                    format!("{}/application_credentials/{}", self.id("users", user).unwrap(), made("application_credential"));
                self.put("programs", &name, &address);
                self.know(&deed.who, Key::Program(name.clone()));
                self.people.insert(name.clone(), BTreeSet::from([Key::Program(name)]));
            }
            Act::MakeTrust { .. } => {
                let name = format!("trust{number}");
                self.trusts.insert(name.clone(), made("trust"));
                self.put("OS-TRUST/trusts", &name, &made("trust"));
                self.people.insert(format!("bearer of {name}"), BTreeSet::from([Key::Trust(name)]));
            }
            _ => {}
        }
    }

    fn keep(&mut self, name: String, id: String) {
        self.put("credentials", &name, &id);
        self.kept.insert(name, id);
    }

    fn know(&mut self, who: &str, key: Key) {
        self.people.get_mut(who).unwrap().insert(key);
    }

    /// Somebody saw what was kept, if what he saw is the secret itself.
    fn read(&mut self, who: &str, id: &str, seen: Option<&str>, state: &State) {
        let Some(name) = self.kept.iter().find(|(_, own)| *own == id).map(|(name, _)| name.clone()) else { return };
        let Some(kept) = state.kept.get(&name) else { return };
        let seen = seen.unwrap_or_default();
        let is_secret = if kept.kind == "ec2" && seen.starts_with('{') { seen.contains("\"secret\"") } else { !seen.is_empty() };
        if is_secret {
            self.know_kept(who, &name, &kept.kind.clone(), &kept.user.clone());
        }
    }

    /// A key for requests, or the seed of a device, which is as good as a password.
    fn know_kept(&mut self, who: &str, name: &str, kind: &str, user: &str) {
        match kind {
            "ec2" => self.know(who, Key::Ec2(name.to_owned())),
            "totp" => self.know(who, Key::Account(user.to_owned())),
            _ => {}
        }
    }
}
