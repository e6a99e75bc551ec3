// SPDX-License-Identifier: Apache-2.0
//! No file leans on one that leans on it, directly or around several corners. A folder's `mod.rs` (and a crate's `lib.rs`) may
//! speak of what lies in it: it is the table of contents.

mod reading;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use reading::Reading;

use super::files::Source;

/// Circles that stay, by their crate and the files in them. The list is there to grow shorter.
const ACCEPTED: &[(&str, &[&str])] = &[
    // One thing in several files: what one does to a process, a task, a connection, an engine, is written beside its type.
    ("adapters/ovn", &["daemons::catalogue", "daemons::daemon", "ovsdb::client", "ovsdb::session"]),
    ("adapters/segments", &["lane", "put", "read", "segments", "space"]),
    ("adapters/web", &["body", "client", "connect"]),
    ("foundation/store", &["postgres::group", "postgres::line", "postgres::writer"]),
    ("node", &["machine::copy", "machine::disks", "machine::held", "machine::nics", "machine::task", "machine::wire"]),
    ("node", &["metadata::password", "metadata::server"]),
    ("testing/nodes", &["host", "machine", "session"]),
    // An error that says what somebody else's said, and who does what fails with it.
    ("adapters/qemu", &["accelerator", "error", "qmp", "qmp::verbs", "qmp::wire"]),
    ("adapters/qemu", &["block", "machine::process", "machine::run_dir", "machine::spec", "storage"]),
    ("foundation/api", &["fault", "reply"]),
    ("foundation/access", &["enforcer", "reach"]),
    ("foundation/work", &["keys", "reconcile", "status"]),
    // The words of one protocol, which name each other.
    ("foundation/contracts", &["node::device", "node::hello", "node::machine", "node::observed", "node::thing", "node::volume"]),
    // Not untangled yet.
    ("services/compute", &["server::operation", "server::operation::ask", "server::snapshot"]),
    ("services/fleet", &["leading", "listener", "room", "session::driver", "session::lines", "stream", "stream::image"]),
    ("services/object", &["container::table", "multipart::table"]),
    ("services/object", &["data::table", "data::take"]),
    ("services/object", &["large", "large::prefix", "object::api", "object::copy", "object::read"]),
    ("services/s3door", &["answer", "gate"]),
    ("services/placement", &["inventory::table", "provider::table"]),
    ("services/volume", &["volume::api", "volume::create", "volume::extend", "volume::update"]),
    ("services/volume", &["volume_type::api", "volume_type::extra_specs"]),
];

type Module = Vec<String>;

pub fn check(sources: &[Source]) -> Vec<String> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, Reading>> = BTreeMap::new();
    for source in sources {
        if let Some((place, module)) = place(&source.path) {
            crates.entry(place).or_default().insert(module, reading::read(&source.text));
        }
    }
    let mut complaints = Vec::new();
    for (place, mut modules) in crates {
        leave_tests_out(&mut modules);
        let arrows = arrows(&modules);
        for circle in circles(&arrows) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            let is_accepted =
                |(of, files): &(&str, &[&str])| *of == place && names.iter().all(|name| files.contains(&name.as_str()));
            if !ACCEPTED.iter().any(is_accepted) {
                let around = names.join(" → ");
                complaints.push(format!(
                    "{place} has a circle: {around} → {}; let what both need stand in a file of its own",
                    names[0]
                ));
            }
        }
    }
    complaints
}

/// The crate that a file is of, and its module there. Tests, examples and what builds a crate are of none.
fn place(path: &str) -> Option<(&str, Module)> {
    let (place, rest) = path.split_once("/src/")?;
    let module = rest.strip_suffix(".rs")?;
    let mut module: Module = module.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    Some((place, module))
}

fn leave_tests_out(modules: &mut BTreeMap<Module, Reading>) {
    let for_tests: Vec<Module> = modules
        .iter()
        .flat_map(|(module, reading)| {
            reading.for_tests.iter().map(|name| [module.as_slice(), std::slice::from_ref(name)].concat())
        })
        .collect();
    modules.retain(|module, _| !for_tests.iter().any(|test| module.starts_with(test)));
}

/// On which modules each module leans.
fn arrows(modules: &BTreeMap<Module, Reading>) -> BTreeMap<&Module, BTreeSet<&Module>> {
    let mut arrows: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for (from, reading) in modules {
        let imported = reading.imports.iter().map(|import| import.path.clone());
        let written = reading.written.iter().map(|path| {
            let import = reading.imports.iter().find(|import| import.name == path[0]);
            import.map_or_else(|| path.clone(), |import| [&import.path, &path[1..]].concat())
        });
        let to = imported.chain(written).filter_map(|path| target(modules, from, &path, 8));
        // To itself, and to what lies in it, a module may speak.
        arrows.entry(from).or_default().extend(to.filter(|to| !to.starts_with(from)));
    }
    arrows
}

/// The module in which what a path names is made, past those that only offer it.
fn target<'a>(modules: &'a BTreeMap<Module, Reading>, from: &Module, path: &[String], corners: usize) -> Option<&'a Module> {
    let path = absolute(modules, from, path)?;
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let (module, reading) = modules.get_key_value(&path[..length])?;
    if let Some(offered) = path.get(length).and_then(|name| reading.imports.iter().find(|it| it.is_offered && it.name == *name))
        && corners > 0
    {
        let further = [&offered.path, &path[length + 1..]].concat();
        // What another crate makes is of no module here.
        return target(modules, module, &further, corners - 1);
    }
    Some(module)
}

fn absolute(modules: &BTreeMap<Module, Reading>, from: &Module, path: &[String]) -> Option<Module> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([from.as_slice(), rest].concat()),
        "super" => Some([&from[..from.len().checked_sub(ups)?], &path[ups..]].concat()),
        _ => {
            let child = [from.as_slice(), path].concat();
            modules.contains_key(&child[..=from.len()]).then_some(child)
        }
    }
}

/// The shortest circle through each file that is in one, without those whose files a shorter one has.
fn circles(arrows: &BTreeMap<&Module, BTreeSet<&Module>>) -> Vec<Circle> {
    let mut found: Vec<Circle> = arrows.keys().filter_map(|start| around(arrows, start)).collect();
    found.sort_by_key(|circle| (circle.len(), circle.clone()));
    let mut seen: BTreeSet<Module> = BTreeSet::new();
    found.retain(|circle| {
        let is_new = circle.iter().any(|module| !seen.contains(module));
        seen.extend(circle.iter().cloned());
        is_new
    });
    found
}

type Circle = Vec<Module>;

/// The shortest way from a module back to it.
fn around(arrows: &BTreeMap<&Module, BTreeSet<&Module>>, start: &Module) -> Option<Circle> {
    let mut ways: VecDeque<Circle> = VecDeque::from([vec![start.clone()]]);
    let mut seen: BTreeSet<&Module> = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        for next in arrows.get(last).into_iter().flatten() {
            if *next == start {
                return Some(way);
            }
            if seen.insert(next) {
                ways.push_back([way.as_slice(), &[(*next).clone()]].concat());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| Source { path: format!("services/a/src/{path}"), text: (*text).to_owned() };
        check(&files.iter().map(source).collect::<Vec<_>>())
    }

    #[test]
    fn files_that_lean_on_each_other_are_found_around_any_corner() {
        let (there, back) = (("keypair/table.rs", "use crate::user;"), ("user/mod.rs", "pub mod table;\npub use table::User;"));
        assert!(complaints(&[there, back, ("user/table.rs", "")]).is_empty());
        let told = complaints(&[there, back, ("user/table.rs", "fn f() { crate::keypair::table::g() }"), ("keypair/mod.rs", "")]);
        assert!(told.is_empty(), "the one names the folder, the other a file of it: {told:?}");
        let there = ("keypair/table.rs", "use crate::user::User;");
        let told = complaints(&[there, back, ("user/table.rs", "use crate::keypair::table;"), ("keypair/mod.rs", "")]);
        assert!(told[0].contains("keypair::table → user::table → keypair::table"), "past the folder that offers it: {told:?}");
    }

    #[test]
    fn a_folder_speaks_of_what_lies_in_it_and_tests_of_everything() {
        let own = [
            ("thing/mod.rs", "mod api;\npub const DRAWER: D = D::new(api::routes, crate::other::rows);"),
            ("thing/api.rs", "use super::Thing;"),
        ];
        assert!(complaints(&own).is_empty());
        let tests = [
            ("a.rs", "use crate::b;\n#[cfg(test)]\nmod tests;"),
            ("a/tests.rs", "use crate::c;"),
            ("b.rs", ""),
            ("c.rs", "use crate::a;"),
        ];
        assert!(complaints(&tests).is_empty());
    }
}
