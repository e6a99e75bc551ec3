// SPDX-License-Identifier: Apache-2.0
//! Whether a deed that was done should have been.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    deed::{Act, Deed},
    state::{Atoms, Key, State},
};

type People = BTreeMap<String, BTreeSet<Key>>;

/// What is wrong with it, if anything.
pub fn find_wrong(deed: &Deed, before: &State, knew: &People, after: &State, know: &People) -> Option<String> {
    let acting = before.wielded_by(&deed.key);
    if deed.act.is_everybodys() && !State::is_everything(&acting) {
        return Some(format!("it is for the cloud's administrators, and was done with {acting:?}"));
    }
    overreach(deed, before, &acting)
        .or_else(|| know.keys().find_map(|person| growth(person, before, knew, after, know, &acting)))
        .or_else(|| takeover(deed, before, knew, after, know, &acting))
}

/// Somebody has more than before who was not given it by one who had it.
fn growth(person: &str, before: &State, knew: &People, after: &State, know: &People, acting: &Atoms) -> Option<String> {
    let none = BTreeSet::new();
    let had = before.of_keys(knew.get(person).unwrap_or(&none));
    let has = after.of_keys(know.get(person).unwrap_or(&none));
    let new = has.difference(&had).find(|atom| !after.covers(&had, atom) && !after.covers(acting, atom));
    if let Some(new) = new {
        return Some(format!("{person} gained {new:?} by one who has {acting:?}"));
    }
    // What slept may be woken by whoever rules the place, but for what reaches beyond it.
    let was_awake = before.awake(&had);
    let woken = after
        .awake(&has)
        .into_iter()
        .find(|atom| State::is_far(&atom.0) && !after.covers(&was_awake, atom) && !after.covers(acting, atom));
    woken.map(|atom| format!("{person} can use {atom:?} again, by one who has {acting:?}"))
}

/// Somebody knows a key to an account that he may not rule.
fn takeover(deed: &Deed, before: &State, knew: &People, after: &State, know: &People, acting: &Atoms) -> Option<String> {
    let old = knew.get(&deed.who)?;
    know.get(&deed.who)?.difference(old).find_map(|key| {
        let Key::Account(user) = key else { return None };
        let domain = before.users.get(user).or_else(|| after.users.get(user))?;
        let own = deed.key == Key::Account(user.clone());
        (!own && !State::rules(acting, domain)).then(|| format!("the account of {user} was taken by one who has {acting:?}"))
    })
}

/// The deed concerns somebody or something that the one who did it has no power over.
fn overreach(deed: &Deed, before: &State, acting: &Atoms) -> Option<String> {
    let all_covered = |atoms: Atoms| atoms.iter().find(|atom| !before.covers(acting, atom)).cloned();
    let rules = |domain: Option<&String>| domain.is_none_or(|domain| State::rules(acting, domain));
    let own = |user: &str| deed.key == Key::Account(user.to_owned());
    let of_owner = |user: &str| before.owners_of(&deed.key).iter().any(|owner| owner == user);
    match &deed.act {
        Act::SetPassword { user } | Act::SetUser { user, .. } | Act::DropUser { user } => {
            if of_owner(user) {
                return Some(format!("a part of what {user} has changed the whole of him"));
            }
            if own(user) {
                return None;
            }
            if !rules(before.users.get(user)) {
                return Some(format!("{user} is not ruled by one who has {acting:?}"));
            }
            let beyond = all_covered(before.of_key(&Key::Account(user.clone())));
            beyond.map(|atom| format!("{user} has {atom:?}, and whoever changed him has {acting:?}"))
        }
        Act::Join { group, .. } | Act::Leave { group, .. } | Act::ChangeGroup { group } | Act::DropGroup { group } => {
            if !rules(before.groups.get(group)) {
                return Some(format!("{group} is not ruled by one who has {acting:?}"));
            }
            all_covered(before.of_group(group)).map(|atom| format!("{group} has {atom:?}, and whoever changed it has {acting:?}"))
        }
        Act::Take { role, spot, .. } => {
            let atom = (role.clone(), spot.clone());
            let is_told = before.roles.get(role) == Some(&None);
            (is_told && !before.covers(acting, &atom)).then(|| format!("{atom:?} was taken by one who has {acting:?}"))
        }
        Act::MakeUser { domain } | Act::MakeGroup { domain } | Act::MakeProject { domain, .. } => {
            (!State::rules(acting, domain)).then(|| format!("{domain} is not ruled by one who has {acting:?}"))
        }
        Act::SetProject { project, .. } | Act::DropProject { project } => {
            let domain = before.projects.get(project).map(|(domain, _)| domain);
            (!rules(domain)).then(|| format!("{project} is not ruled by one who has {acting:?}"))
        }
        Act::DropKept { kept } | Act::NewSecret { kept } | Act::MoveKept { kept, .. } => {
            let user = before.kept.get(kept)?.user.clone();
            if own(&user) || before.kept.get(kept)?.bound.as_ref() == Some(before.root_of(&deed.key)) {
                return None;
            }
            let beyond = all_covered(before.of_key(&Key::Account(user.clone())));
            beyond.map(|atom| format!("a key of {user} was changed, who has {atom:?}, by one who has {acting:?}"))
        }
        _ => None,
    }
}
