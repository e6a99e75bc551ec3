// SPDX-License-Identifier: Apache-2.0
//! The things that are asked for: made through the API when a path or a body first names their kind, and made again
//! once somebody was let in to delete them.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use api::Door;
use serde_json::Value;

use super::{
    CANARY,
    callers::{Callers, Said, talk},
    recipes::{self, RECIPES},
};

pub struct Things<'a> {
    door: &'a Arc<Door>,
    callers: &'a Callers,
    /// Those that others lean on; nobody is let near them with a DELETE.
    kept: HashMap<&'static str, String>,
    /// The one that the present route is about, where the route may destroy it.
    fresh: Option<(&'static str, String)>,
    count: u32,
    /// What could not be made, for the end of the test: it may be one thing that all others lack.
    pub failed: Vec<String>,
}

impl<'a> Things<'a> {
    pub fn new(door: &'a Arc<Door>, callers: &'a Callers) -> Self {
        Self { door, callers, kept: HashMap::new(), fresh: None, count: 0, failed: vec![] }
    }

    pub fn callers(&self) -> &'a Callers {
        self.callers
    }

    pub async fn talk(&self, method: &str, path: &str, caller: &str, body: Value, headers: &[(&'static str, String)]) -> Said {
        let body = match body {
            Value::Null => String::new(),
            // Not JSON, but the bytes themselves.
            Value::String(bytes) => bytes,
            document => document.to_string(),
        };
        let content_type = recipes::content_type(method, path);
        let headers: Vec<_> = headers.iter().cloned().chain([("content-type", content_type.to_owned())]).collect();
        talk(self.door, method, path, self.callers.token(caller), &body, &headers).await
    }

    /// One of a kind that stays.
    pub fn one(&mut self, kind: &'static str) -> Pin<Box<dyn Future<Output = String> + '_>> {
        Box::pin(async move {
            if let Some(id) = self.kept.get(kind) {
                return id.clone();
            }
            let id = self.make(kind, CANARY).await;
            self.kept.insert(kind, id.clone());
            id
        })
    }

    /// One of a kind that may be destroyed, the same until it is.
    pub async fn one_to_lose(&mut self, kind: &'static str) -> String {
        if let Some((of_kind, id)) = &self.fresh
            && *of_kind == kind
        {
            return id.clone();
        }
        // Of a limit there can be but one, and of a health monitor one for each pool.
        let kept = if ["limits", "healthmonitors"].contains(&kind) { self.kept.remove(kind) } else { None };
        let id = match kept {
            Some(id) => id,
            None => self.make(kind, CANARY).await,
        };
        self.fresh = Some((kind, id.clone()));
        id
    }

    pub fn forget_the_last(&mut self) {
        self.fresh = None;
    }

    pub async fn document(&mut self, text: &str, prefix: &str) -> Value {
        let text = self.fill(text, prefix).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text} is not JSON: {error}"))
    }

    /// `$name` and `$number`, and the ids of what a path or a body leans on.
    pub async fn fill(&mut self, text: &str, prefix: &str) -> String {
        self.count += 1;
        let (network, host) = (self.count / 250, self.count % 250 + 1);
        let mut text = text.to_owned();
        // The longer names first: $subnetpools begins with $subnet.
        let mut kinds: Vec<&'static str> = RECIPES.iter().map(|recipe| recipe.kind).collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
        for kind in kinds {
            let word = format!("${kind}");
            if text.contains(&word) {
                text = text.replace(&word, &self.one(kind).await);
            }
        }
        text.replace("$name", &format!("{prefix}-{}", self.count))
            .replace("$number", &self.count.to_string())
            .replace("$octets", &format!("{network}.{host}"))
            .replace("$project", &self.callers.project)
            .replace("$member", &self.callers.member)
            .replace("$trustee", &self.callers.trustee)
            .replace("$uuid", &uuid::Uuid::new_v4().to_string())
    }

    async fn make(&mut self, kind: &'static str, prefix: &str) -> String {
        let recipe = RECIPES.iter().find(|recipe| recipe.kind == kind).unwrap_or_else(|| panic!("no recipe for {kind}"));
        let body = Box::pin(self.document(recipe.body, prefix)).await;
        let path = Box::pin(self.fill(recipe.path, prefix)).await;
        let (method, path) = path.split_once(' ').unwrap_or(("POST", &path));
        let said = self.talk(method, path, recipe.maker, body, &recipes::headers_of(path)).await;
        if said.status >= 300 {
            self.failed.push(format!("{kind} cannot be made: {} {}", said.status, said.body));
            return "none".to_owned();
        }
        let id = said.at(recipe.id);
        for (method, path, body) in recipe.then {
            let path = path.replace("$id", &id);
            let said =
                self.talk(method, &path, recipe.maker, Value::String((*body).to_owned()), &recipes::headers_of(&path)).await;
            assert!(said.status < 300, "{method} {path}: {} {}", said.status, said.body);
        }
        id
    }
}
