// SPDX-License-Identifier: Apache-2.0
//! JSON Home: the document by which a clever client finds what this API offers, by the names of the relations.
//!
//! The names are Keystone's, in `json_home.txt`. Told is what the route table serves, so that nothing is promised.

use std::collections::{BTreeMap, HashSet};

use api::Route;
use http::HeaderMap;
use serde_json::{Value, json};

pub const MEDIA_TYPE: &str = "application/json-home";

const RELATIONS: &str = include_str!("json_home.txt");
const BASE: &str = "https://docs.openstack.org/api/openstack-identity/3/";

/// The document at `/v3`, whose addresses are below it.
pub fn document(routes: &[Route]) -> Value {
    let served: HashSet<String> = routes.iter().map(|route| bare(route.path)).collect();
    let lines = RELATIONS.lines().filter(|line| !line.starts_with('#'));
    let resources: BTreeMap<String, Value> = lines.filter_map(|line| resource(line, &served)).collect();
    json!({"resources": resources})
}

/// The same at the root, whose addresses begin with the version.
pub fn below_version(document: &Value) -> Value {
    let mut document = document.clone();
    for resource in document["resources"].as_object_mut().into_iter().flat_map(|resources| resources.values_mut()) {
        for key in ["href", "href-template"] {
            if let Some(path) = resource[key].as_str().map(|path| format!("/v3{path}")) {
                resource[key] = path.into();
            }
        }
    }
    document
}

/// Whether the client would rather have this than the version document.
pub fn is_preferred(headers: &HeaderMap) -> bool {
    let accept = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let weight = |media_type: &str| {
        let named = accept.split(',').filter_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts.next() == Some(media_type);
            let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
            is_named.then_some(weight)
        });
        named.fold(0.0, f32::max)
    };
    weight(MEDIA_TYPE) > weight("application/json").max(weight("*/*")).max(weight("application/*"))
}

/// `relation path [parameter=relation…] [status]`
fn resource(line: &str, served: &HashSet<String>) -> Option<(String, Value)> {
    let mut words = line.split(' ');
    let (relation, path) = (words.next()?, words.next()?);
    if !served.contains(&bare(&format!("/v3{path}"))) {
        return None;
    }
    let mut resource = json!({});
    let mut parameters: BTreeMap<&str, String> =
        path.split('/').filter_map(place).map(|name| (name, format!("{BASE}param/{name}"))).collect();
    for word in words {
        match word.split_once('=') {
            Some((name, relation)) => _ = parameters.insert(name, format!("{BASE}{relation}")),
            None => resource["hints"] = json!({"status": word}),
        }
    }
    if parameters.is_empty() {
        resource["href"] = path.into();
    } else {
        resource["href-template"] = path.into();
        resource["href-vars"] = json!(parameters);
    }
    Some((format!("{BASE}{relation}"), resource))
}

fn place(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// The path without the names of its places.
fn bare(path: &str) -> String {
    path.split('/').map(|part| if place(part).is_some() { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::world::World;

    #[tokio::test]
    async fn a_client_that_asks_for_json_home_gets_it() {
        let world = World::new().await;
        let home = |accept: &'static str, path: &'static str| {
            let world = &world;
            async move { world.ask_with("GET", path, "", &[("accept", accept)], Value::Null).await }
        };
        let answer = home(MEDIA_TYPE, "/v3").await;
        assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &MEDIA_TYPE.parse().unwrap()));
        let resources = &answer.body["resources"];
        assert_eq!(resources[format!("{BASE}rel/users")], json!({"href": "/users"}));
        let user = json!({"href-template": "/users/{user_id}", "href-vars": {"user_id": format!("{BASE}param/user_id")}});
        assert_eq!(resources[format!("{BASE}rel/user")], user);
        assert_eq!(resources[format!("{BASE}rel/limits")], json!({"href": "/limits", "hints": {"status": "experimental"}}));
        let trust = &resources[format!("{BASE}ext/OS-TRUST/1.0/rel/trust")];
        assert_eq!(trust["href-vars"]["trust_id"], format!("{BASE}ext/OS-TRUST/1.0/param/trust_id"));

        let root = home(MEDIA_TYPE, "").await;
        assert_eq!(root.status, 200);
        assert_eq!(root.body["resources"][format!("{BASE}rel/users")], json!({"href": "/v3/users"}));
        for accept in ["application/json", "*/*", "application/json-home;q=0.1, application/json"] {
            assert!(home(accept, "/v3").await.body["version"].is_object(), "{accept}");
        }
        assert!(home("application/json-home, application/json;q=0.5", "/v3").await.body["resources"].is_object());
    }

    /// Every route is told of but those that Keystone does not tell of either.
    #[tokio::test]
    async fn json_home_tells_of_every_route() {
        let world = World::new().await;
        let told: HashSet<String> = RELATIONS.lines().filter_map(|line| line.split(' ').nth(1)).map(bare).collect();
        let untold = |path: &&str| {
            let below = path.strip_prefix("/v3").unwrap_or(path);
            // The older paths of federation, and the page to which an identity provider sends back.
            let is_older = matches!(below, "/OS-FEDERATION/domains" | "/OS-FEDERATION/projects");
            let is_untold_by_keystone = matches!(below, "" | "/" | "/projects/{project_id}/tags")
                || is_older
                || below.ends_with("/websso/callback")
                || below.starts_with("/domains/{domain_id}/config/security_compliance");
            !told.contains(&bare(below)) && !is_untold_by_keystone
        };
        let paths: HashSet<&str> = world.door.routes().map(|(_, route)| route.path).collect();
        assert_eq!(paths.into_iter().filter(untold).collect::<Vec<_>>(), Vec::<&str>::new(), "name them in json_home.txt");
    }
}
