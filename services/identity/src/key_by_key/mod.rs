// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Our answers, key by key, beside the examples of Keystone's API reference (see the crate `shapes`): each is really asked
//! for. Where one deliberately is not as the example, `exceptions` says why.

mod exceptions;
mod logins;
mod resources;

use std::sync::Arc;

use serde_json::Value;
use shapes::{Examples, KEYSTONE};

use crate::{
    SecurityCompliance, Settings,
    world::{Answer, World},
};
use exceptions::{EXCEPTIONS, NOT_ASKED};

/// A cloud where passwords expire, so that they show when.
fn settings() -> Settings {
    let rules = SecurityCompliance { password_expires_days: Some(90), ..SecurityCompliance::default() };
    Settings { security_compliance: Arc::new(rules), ..Settings::default() }
}

/// The answers that were got.
struct Taken(Examples);

impl Taken {
    fn put(&mut self, example: &str, answer: Answer) -> Value {
        let is_receipt = answer.body.get("receipt").is_some();
        assert!(answer.status.is_success() || is_receipt || answer.status == 300, "{example}: {} {}", answer.status, answer.body);
        self.0.put(example, answer.body.clone());
        answer.body
    }

    /// Asks as the administrator.
    async fn ask(&mut self, world: &World, example: &str, request: &str, body: Value) -> Value {
        let (method, path) = request.split_once(' ').unwrap();
        let answer = world.ask(method, path, &world.admin, body).await;
        self.put(example, answer)
    }

    async fn get(&mut self, world: &World, example: &str, path: &str) -> Value {
        self.ask(world, example, &format!("GET {path}"), Value::Null).await
    }
}

#[tokio::test]
async fn answers_have_the_keys_of_keystones_examples() {
    let mut taken = Taken(Examples::of(KEYSTONE, "v3/samples/admin"));
    resources::walk(&mut taken).await;
    logins::walk(&mut taken).await;
    let wrong = taken.0.compare(EXCEPTIONS, NOT_ASKED);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
