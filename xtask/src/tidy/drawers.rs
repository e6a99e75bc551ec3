// SPDX-License-Identifier: Apache-2.0
//! A drawer is one value: what has a `const DRAWER` stands in the list of its room, once, and the rest of the room does not
//! speak of it.

use std::collections::BTreeMap;

use super::files::Source;

const MADE: &str = "const DRAWER:";
const LISTED: &str = "::DRAWER";

pub fn check(sources: &[Source]) -> Vec<String> {
    // By the folder of a room: its drawers as paths of modules, and the names that stand in its files, each with its file.
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut listed: BTreeMap<String, Vec<(String, &str)>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.path.starts_with("xtask/") && !is_test(&source.path)) {
        let Some((room, module)) = place(&source.path) else { continue };
        if source.text.contains(MADE) {
            made.entry(room.clone()).or_default().push(module);
        }
        for (at, _) in source.text.match_indices(LISTED) {
            let start = source.text[..at].rfind(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).map_or(0, |at| at + 1);
            listed.entry(room.clone()).or_default().push((source.text[start..at].to_owned(), &source.path));
        }
    }
    let mut complaints = policies(sources);
    for (room, drawers) in &made {
        let names = listed.remove(room).unwrap_or_default();
        for drawer in drawers {
            let lines: Vec<&str> = names.iter().filter(|(name, _)| name == drawer).map(|(_, path)| *path).collect();
            match lines.as_slice() {
                [_] => {}
                [] => complaints
                    .push(format!("the drawer {drawer} of {room} stands in no list: add `{drawer}::DRAWER` to its ROOM")),
                _ => {
                    complaints.push(format!("the drawer {drawer} of {room} is named in {}; one line is enough", lines.join(", ")))
                }
            }
        }
    }
    complaints
}

/// What a room's drawers share is the rules; which of them a policy has as its default, its drawer says. The three words of the
/// object room are no drawer's: an account, a container and an object ask the same.
fn policies(sources: &[Source]) -> Vec<String> {
    let shared =
        sources.iter().filter(|source| source.path.ends_with("/src/policy.rs") && source.text.contains("access::policies!"));
    shared
        .filter(|source| source.path != "services/object/src/policy.rs")
        .map(|source| format!("{} holds policies of drawers: each stands in its own drawer", source.path))
        .collect()
}

fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// The room that a file is of, and its module there: `services/network`, `security_group::rule`.
fn place(path: &str) -> Option<(String, String)> {
    let (room, rest) = match path.strip_prefix("ferrostack/src/operator/") {
        Some(rest) => ("ferrostack/src/operator".to_owned(), rest),
        None => {
            let (name, rest) = path.strip_prefix("services/")?.split_once("/src/")?;
            (format!("services/{name}"), rest)
        }
    };
    let module = rest.strip_suffix(".rs")?;
    let module = module.strip_suffix("/mod").unwrap_or(module);
    Some((room, module.replace('/', "::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
        check(&files.iter().map(source).collect::<Vec<_>>())
    }

    #[test]
    fn a_policy_stands_in_its_drawer() {
        const POLICIES: &str = "access::policies! {}";
        assert!(complaints(&[("services/a/src/thing/policy.rs", POLICIES)]).is_empty());
        let shared = complaints(&[("services/a/src/policy.rs", POLICIES)]);
        assert!(shared[0].contains("in its own drawer"), "{shared:?}");
    }

    #[test]
    fn a_drawer_stands_in_the_list_of_its_room_once() {
        const DRAWER: (&str, &str) = ("services/a/src/thing/mod.rs", "pub(crate) const DRAWER: crate::Drawer = x;");
        assert!(complaints(&[DRAWER, ("services/a/src/lib.rs", "drawers: &[thing::DRAWER]")]).is_empty());
        let missing = complaints(&[DRAWER, ("services/b/src/lib.rs", "drawers: &[thing::DRAWER]")]);
        assert!(missing[0].contains("stands in no list"), "{missing:?}");
        let twice =
            complaints(&[DRAWER, ("services/a/src/lib.rs", "[thing::DRAWER]"), ("services/a/src/x.rs", "thing::DRAWER.steps")]);
        assert!(twice[0].contains("one line is enough"), "{twice:?}");
    }
}
