// SPDX-License-Identifier: Apache-2.0
//! The authorization sweep: every route of every service × every kind of caller, against real things of a tenant.
//!
//! What each may is in `cells.txt`, which is read and reviewed as text. A route that is not in it fails the test, and so
//! does a cell that changed. After a change that is meant:
//!
//! ```text
//! FERROSTACK_SWEEP=write cargo test -p ferrostack sweep
//! git diff ferrostack/src/tests/sweep/cells.txt
//! ```
//!
//! A cell is `ok` for any success, else the status. That 400 and 409 count as let in is meant: the door was open, the
//! request was not right. Where a route needs a body to get that far, `recipes.rs` has it.
//!
//! Beside the file, three things hold whatever it says: without a good token nothing but a public route opens; no answer
//! to another tenant contains the word that all things of this tenant are named with; and an application credential never
//! opens what its user's own token does not, nor what its access rules do not name.

mod callers;
mod recipes;
mod things;

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use api::{Access, Route};
use callers::{CALLERS, Callers, RULED};
use http::Method;
use recipes::Request;
use serde_json::Value;
use things::Things;

use crate::{controller, home::Home};

/// What all things of the swept tenant are called, and nothing else.
const CANARY: &str = "canary";
const CELLS: &str = include_str!("cells.txt");

#[tokio::test(flavor = "multi_thread")]
async fn every_route_opens_to_whom_it_should_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().to_owned());
    home.ensure().unwrap();
    let config = super::served::configuration(&home);
    let door = controller::door_of_new_cloud(&home, &config).await.unwrap();
    let callers = Callers::log_in(&door, &home).await;
    let mut things = Things::new(&door, &callers);

    let mut routes: Vec<_> = door.routes().map(|(service, route)| Swept::new(service, route)).collect();
    // What deletes comes last: things that it leans on are still there for the others.
    routes.sort_by(|a, b| (a.method == Method::DELETE, &a.key).cmp(&(b.method == Method::DELETE, &b.key)));
    let mut lines = BTreeMap::new();
    let mut violations = vec![];
    for swept in &routes {
        let mut line = String::new();
        let mut codes = vec![];
        for caller in CALLERS {
            let cell = sweep(&mut things, &callers, swept, caller, &mut violations).await;
            write!(line, " {cell:<8}").unwrap();
            codes.push(cell);
        }
        violations.extend(swept.violations(&codes));
        lines.insert(swept.key.clone(), line.trim_end().to_owned());
    }
    compare(&lines);
    violations.append(&mut things.failed);
    violations.dedup();
    assert!(violations.is_empty(), "{violations:#?}");
}

/// A route of the table with what the sweep knows of it.
struct Swept {
    key: String,
    method: Method,
    path: String,
    is_public: bool,
    action: Option<&'static str>,
    version: Option<String>,
    puts_too: bool,
}

impl Swept {
    fn new(service: &api::Service, route: &Route) -> Self {
        let path = format!("{}{}", service.prefix, route.path);
        let action = route.action.map(|action| format!(" {action}")).unwrap_or_default();
        let span = match (route.since, route.until) {
            (None, None) => String::new(),
            (since, until) => {
                let text = |version: Option<types::Microversion>| version.map(|v| v.to_string()).unwrap_or_default();
                format!(" ({}…{})", text(since), text(until))
            }
        };
        let version =
            service.versions.as_ref().map(|versions| format!("{} {}", versions.name, route.until.unwrap_or(versions.max)));
        let puts_too = service.routes.iter().any(|other| other.path == route.path && other.method == Method::PUT);
        Self {
            key: format!("{:<6} {path}{action}{span}", route.method),
            method: route.method.clone(),
            is_public: matches!(route.access, Access::Public),
            action: route.action,
            path,
            version,
            puts_too,
        }
    }

    /// What no review can change.
    fn violations(&self, codes: &[String]) -> Vec<String> {
        let of = |name: &str| CALLERS.iter().position(|caller| *caller == name).map(|i| codes[i].as_str()).unwrap();
        let mut found: Vec<String> = ["none", "expired", "revoked"]
            .into_iter()
            .filter(|nobody| !self.is_public && of(nobody) != "401")
            .map(|nobody| format!("{}: {nobody} gets {}", self.key, of(nobody)))
            .collect();
        // What a token means it may always ask.
        let is_about_tokens = self.path == "/identity/v3/auth/tokens" && matches!(self.method, Method::GET | Method::HEAD);
        if of("ruled") != "401" && !self.is_public && self.key != RULED && !is_about_tokens {
            found.push(format!("{}: the access rules of a credential do not hold: {}", self.key, of("ruled")));
        }
        if of("appcred") == "ok" && matches!(of("member"), "401" | "403") {
            found.push(format!("{}: the credential may what its user may not", self.key));
        }
        found
    }
}

async fn sweep(things: &mut Things<'_>, callers: &Callers, swept: &Swept, caller: &str, violations: &mut Vec<String>) -> String {
    let Request { path, body, headers } = recipes::request(things, swept, callers.subject()).await;
    let mut headers = headers;
    headers.extend(swept.version.clone().map(|version| ("openstack-api-version", version)));
    if swept.puts_too && matches!(swept.method, Method::GET | Method::DELETE | Method::HEAD) && recipes::is_a_relation(&path) {
        things.talk("PUT", &path, "cloud", Value::Null, &headers).await;
    }
    let said = things.talk(swept.method.as_str(), &path, caller, body, &headers).await;
    // Nothing serves machines or networks here, and what is not offered says so; Keystone without SAML says 500.
    if said.status >= 500 && !matches!(said.status, 501 | 503) && !path.ends_with("/saml2/metadata") {
        violations.push(format!("{} as {caller}: {} {}", swept.key, said.status, said.body));
    }
    // What the caller wrote into the path may come back.
    let told = path.split('/').filter(|part| part.contains(CANARY)).fold(said.body.clone(), |body, part| body.replace(part, ""));
    if matches!(caller, "none" | "expired" | "revoked" | "other" | "abroad") && told.contains(CANARY) {
        violations.push(format!("{} tells {caller} of another tenant's things: {}", swept.key, said.body));
    }
    if said.status < 300 && swept.method == Method::DELETE {
        things.forget_the_last();
    }
    if said.status < 300 { "ok".to_owned() } else { said.status.to_string() }
}

fn compare(lines: &BTreeMap<String, String>) {
    let width = lines.keys().map(|key| key.chars().count()).max().unwrap_or_default();
    let mut text = format!("{:<width$}", "# route");
    for caller in CALLERS {
        write!(text, " {caller:<8}").unwrap();
    }
    text = text.trim_end().to_owned() + "\n";
    for (key, line) in lines {
        writeln!(text, "{key:<width$}{line}").unwrap();
    }
    if std::env::var_os("FERROSTACK_SWEEP").is_some_and(|what| what == "write") {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/sweep/cells.txt");
        fs::write(file, text).unwrap();
        return;
    }
    // Without the padding, so that one long route does not change every line.
    let bare = |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    let (found, reviewed) = (bare(&text), bare(CELLS));
    let changed: Vec<&String> = found.iter().filter(|line| !reviewed.contains(line)).collect();
    let gone: Vec<&String> = reviewed.iter().filter(|line| !found.contains(line)).collect();
    assert!(
        changed.is_empty() && gone.is_empty(),
        "who may what has changed. Is it meant? Then FERROSTACK_SWEEP=write cargo test -p ferrostack sweep, and review the \
         difference.\nfound:    {changed:#?}\nreviewed: {gone:#?}"
    );
}
