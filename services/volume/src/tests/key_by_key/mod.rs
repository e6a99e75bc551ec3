// SPDX-License-Identifier: Apache-2.0
//! Our answers, key by key, beside the examples of Cinder's API reference (see the crate `shapes`): each is really asked for.
//! Where one deliberately is not as the example, the list says why.

mod exceptions;
mod operator;
mod tenant;

use serde_json::{Value, json};
use shapes::{CINDER, Examples};
use world::Talk;

use super::{Cloud, id_of};

struct Taken {
    examples: Examples,
    admin: Talk,
}

impl Taken {
    /// What the operator reads.
    async fn get(&mut self, example: &str, path: &str) -> Value {
        self.get_as("3.71", example, path).await
    }

    async fn get_as(&mut self, version: &str, example: &str, path: &str) -> Value {
        let talk = self.admin.version(&format!("volume {version}"));
        let answer = talk.get(&format!("/volume{path}")).await;
        self.put(example, answer)
    }

    /// What is answered to a change.
    fn put(&mut self, example: &str, answer: world::Said) -> Value {
        assert!(answer.status.is_success() || answer.status == 300, "{example}: {} {}", answer.status, answer.body);
        self.examples.put(&format!("v3/samples/{example}"), answer.body.clone());
        answer.body
    }
}

#[tokio::test]
async fn answers_have_the_keys_of_cinders_examples() {
    let cloud = Cloud::new().await;
    let room_for_all = json!({"quota_set": {"volumes": 40, "snapshots": 40}});
    cloud.admin().put("/volume/v3/os-quota-sets/p1", room_for_all).await.expect(200);
    let mut taken = Taken { examples: Examples::of(CINDER, "v3/samples"), admin: cloud.admin() };
    let volume = tenant::volumes(&mut taken, &cloud).await;
    tenant::snapshots(&mut taken, &cloud, &volume).await;
    tenant::transfers(&mut taken, &cloud).await;
    tenant::attachments(&mut taken, &volume).await;
    tenant::groups(&mut taken, &cloud).await;
    tenant::images(&mut taken, &cloud).await;
    operator::types(&mut taken).await;
    operator::quotas(&mut taken).await;
    operator::hosts(&mut taken).await;
    operator::the_rest(&mut taken, &cloud).await;
    let wrong = taken.examples.compare(exceptions::EXCEPTIONS, exceptions::NOT_ASKED);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
