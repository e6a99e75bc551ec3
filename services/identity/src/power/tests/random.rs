// SPDX-License-Identifier: Apache-2.0
//! Deeds by chance: the same for the same seed.

use super::{
    arena::{Arena, DOMAINS, ROLES},
    deed::{Act, Deed},
    state::{Key, Spot, State},
};

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }

    /// How the arena is furnished: its administrator gives roles to people and groups.
    pub fn gift(&mut self, number: usize, state: &State) -> Option<Deed> {
        let (holder, is_group) = self.holder(state)?;
        let role = (*self.of(&["member", "reader", "manager", "manager", "admin", "auditor", "member", "service"])?).to_owned();
        let spot = match role.as_str() {
            // Else all would soon be the cloud's.
            "admin" if !self.one_in(6) => Spot::Domain(self.domain()),
            "service" if !self.one_in(3) => return None,
            _ => self.spot(state)?,
        };
        let key = Key::Account("admin".to_owned());
        Some(Deed { number, who: "admin".to_owned(), key, scope: Spot::System, act: Act::Give { holder, is_group, role, spot } })
    }

    /// Somebody does something.
    pub fn deed(&mut self, number: usize, arena: &Arena, state: &State) -> Option<Deed> {
        let people: Vec<&String> = arena.people.keys().collect();
        // Those who rule something, and those who have but a part of a ruler's power, have more to try.
        let may_rule = |who: &&&String| {
            let keys = arena.people.get(**who).into_iter().flatten();
            state.of_keys(keys).iter().any(|(role, _)| role == "admin" || role == "manager")
        };
        let rulers: Vec<&String> = people.iter().filter(may_rule).copied().collect();
        let who = match self.below(20) {
            0 | 1 => "admin".to_owned(),
            2..=10 => (*self.of(&rulers)?).clone(),
            _ => (*self.of(&people)?).clone(),
        };
        let keys: Vec<Key> = arena.people.get(&who)?.iter().cloned().collect();
        let key = self.of(&keys)?.clone();
        let scope = self.scope(&key, state);
        let act = self.act(&who, &key, &scope, arena, state)?;
        Some(Deed { number, who, key, scope, act })
    }

    /// A scope for which the key opens something, if there is one.
    fn scope(&mut self, key: &Key, state: &State) -> Spot {
        let spots: Vec<Spot> = state.wielded_by(key).into_iter().map(|(_, spot)| spot).collect();
        match self.of(&spots).cloned() {
            Some(Spot::BelowDomain(domain)) => {
                let within: Vec<&String> =
                    state.projects.iter().filter(|(_, (at, _))| *at == domain).map(|(name, _)| name).collect();
                self.of(&within).map_or(Spot::Nowhere, |name| Spot::Project((*name).clone()))
            }
            Some(Spot::BelowProject(above)) => {
                let below = state.projects.iter().find(|(_, (_, at))| at.as_ref() == Some(&above));
                below.map_or(Spot::Nowhere, |(name, _)| Spot::Project(name.clone()))
            }
            Some(spot) => spot,
            None => Spot::Nowhere,
        }
    }

    fn act(&mut self, who: &str, key: &Key, scope: &Spot, arena: &Arena, state: &State) -> Option<Act> {
        let near = state.domain_of(scope);
        let user = self.user(who, near.as_deref(), state)?;
        let group = self.within(&state.groups, near.as_deref())?;
        let project = self.project(scope, state)?;
        let domain = near.clone().filter(|_| !self.one_in(3)).unwrap_or_else(|| self.domain());
        let kept = self.of(&state.kept.keys().cloned().collect::<Vec<_>>()).cloned();
        let owner = match key {
            Key::Account(name) => name.clone(),
            _ => state.owners_of(key).first().cloned().unwrap_or_else(|| user.clone()),
        };
        let own = if self.one_in(4) { user.clone() } else { owner };
        Some(match self.below(100) {
            0..=17 => {
                let ((holder, is_group), role, spot) =
                    (self.holder(state)?, self.role(who, state)?, self.near_spot(scope, state)?);
                // Also to oneself, or to a puppet.
                let (holder, is_group) = if self.one_in(3) { (user, false) } else { (holder, is_group) };
                Act::Give { holder, is_group, role, spot }
            }
            18..=21 => {
                let (holder, role, spot) = self.of(&state.given.iter().cloned().collect::<Vec<_>>())?.clone();
                Act::Take { is_group: state.groups.contains_key(&holder), holder, role, spot }
            }
            22..=24 => Act::MakeUser { domain },
            25..=28 => Act::SetPassword { user: if self.one_in(3) { own } else { user } },
            29..=31 => Act::SetUser { user: if self.one_in(3) { own } else { user }, enabled: !self.one_in(3) },
            32 => Act::DropUser { user },
            33 => Act::Link { user },
            34..=35 => Act::MakeGroup { domain },
            36 => Act::ChangeGroup { group },
            37 => Act::DropGroup { group },
            38..=44 => Act::Join { group, user },
            45..=46 => Act::Leave { group, user },
            47..=48 => Act::MakeProject { domain, above: None },
            49 => Act::MakeProject { domain, above: Some(project) },
            50..=52 => Act::SetProject { project, enabled: !self.one_in(3) },
            53 => Act::DropProject { project },
            54 => Act::SetDomain { domain: "labs".to_owned(), enabled: !self.one_in(4) },
            55 => Act::MakeRole { domain: if self.one_in(2) { None } else { Some(domain) } },
            56 => Act::RenameRole { role: self.own_role(state)? },
            57 => Act::DropRole { role: self.own_role(state)? },
            58..=59 => Act::Imply { prior: self.any_role(state)?, implied: self.any_role(state)? },
            60 => Act::ImplyNoMore { prior: self.own_role(state)?, implied: self.any_role(state)? },
            61 => Act::Vouch { domain },
            62..=65 => {
                let kind = *self.of(&["ec2", "ec2", "totp", "cert"])?;
                Act::Keep { user: own, project: Some(project).filter(|_| kind != "totp"), kind }
            }
            66..=70 => Act::ReadKept,
            71..=74 => Act::ShowKept { kept: kept? },
            75..=76 => {
                let (user, project) = if self.one_in(2) { (Some(user), None) } else { (None, Some(project)) };
                Act::MoveKept { kept: kept?, user, project }
            }
            77 => Act::NewSecret { kept: kept? },
            78 => Act::DropKept { kept: kept? },
            79..=82 => Act::MakeEc2 { user: own, project },
            83..=86 => Act::ReadEc2 { user: own },
            87..=92 => {
                let role = if self.one_in(2) { Some(self.any_role(state)?) } else { None };
                Act::MakeProgram { user: own, role, unrestricted: self.one_in(2) }
            }
            93 => Act::DropProgram { program: self.of(&state.programs.keys().cloned().collect::<Vec<_>>())?.clone() },
            94..=98 => {
                let impersonation = self.one_in(2);
                let trustee = self.user(who, None, state)?;
                Act::MakeTrust { trustor: own, trustee, project, role: self.role(who, state)?, impersonation }
            }
            _ => Act::DropTrust { trust: self.of(&arena.trusts.keys().cloned().collect::<Vec<_>>())?.clone() },
        })
    }

    fn domain(&mut self) -> String {
        DOMAINS[self.below(DOMAINS.len())].to_owned()
    }

    /// Mostly somebody near; sometimes the administrator, or oneself.
    fn user(&mut self, who: &str, near: Option<&str>, state: &State) -> Option<String> {
        match self.below(12) {
            0 => Some("admin".to_owned()),
            1 if state.users.contains_key(who) => Some(who.to_owned()),
            _ => self.within(&state.users, near),
        }
    }

    /// One of these, mostly in this domain.
    fn within(&mut self, all: &std::collections::BTreeMap<String, String>, domain: Option<&str>) -> Option<String> {
        let far = self.one_in(4);
        let near: Vec<&String> =
            all.iter().filter(|(_, at)| far || domain.is_none_or(|own| own == *at)).map(|(name, _)| name).collect();
        self.of(&near).map(|name| (*name).clone())
    }

    fn project(&mut self, scope: &Spot, state: &State) -> Option<String> {
        match scope {
            Spot::Project(own) if !self.one_in(3) => Some(own.clone()),
            _ => {
                let near = state.domain_of(scope).filter(|_| !self.one_in(4));
                let all = state.projects.iter().filter(|(_, (at, _))| near.as_ref().is_none_or(|own| own == at));
                let all: Vec<&String> = all.map(|(name, _)| name).collect();
                self.of(&all).map(|name| (*name).clone())
            }
        }
    }

    fn holder(&mut self, state: &State) -> Option<(String, bool)> {
        let is_group = self.one_in(3);
        let all = if is_group { &state.groups } else { &state.users };
        // The administrator has all there is.
        let name = self.within(all, None).filter(|name| name != "admin")?;
        Some((name, is_group))
    }

    fn spot(&mut self, state: &State) -> Option<Spot> {
        let project = self.of(&state.projects.keys().cloned().collect::<Vec<_>>())?.clone();
        Some(match self.below(10) {
            0..=3 => Spot::Project(project),
            4 => Spot::BelowProject(project),
            5..=7 => Spot::Domain(self.domain()),
            8 => Spot::BelowDomain(self.domain()),
            _ => Spot::System,
        })
    }

    fn near_spot(&mut self, scope: &Spot, state: &State) -> Option<Spot> {
        let Some(domain) = state.domain_of(scope).filter(|_| !self.one_in(4)) else { return self.spot(state) };
        let project = self.project(scope, state)?;
        Some(match self.below(6) {
            0 | 1 => Spot::Project(project),
            2 => Spot::BelowProject(project),
            3 | 4 => Spot::Domain(domain),
            _ => Spot::BelowDomain(domain),
        })
    }

    /// One to give. The administrator is sparing with what makes others his equals.
    fn role(&mut self, who: &str, state: &State) -> Option<String> {
        if who == "admin" && !self.one_in(8) {
            return Some((*self.of(&["member", "reader", "manager", "auditor"])?).to_owned());
        }
        self.any_role(state)
    }

    fn any_role(&mut self, state: &State) -> Option<String> {
        self.of(&state.roles.keys().cloned().collect::<Vec<_>>()).cloned()
    }

    /// None of those without which little works.
    fn own_role(&mut self, state: &State) -> Option<String> {
        let own: Vec<String> = state.roles.keys().filter(|name| !ROLES.contains(&name.as_str())).cloned().collect();
        self.of(&own).cloned()
    }
}
