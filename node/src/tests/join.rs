// SPDX-License-Identifier: Apache-2.0
//! How a host becomes a node, and how it does not.

use contracts::{
    join::JoinToken,
    node::{Hello, PROTOCOL, Versions},
};
use store::Actor;
use types::Secret;

use super::cloud::{Cloud, Node};
use crate::{
    Error,
    identity::{self, Identity},
    link::{Client, joining},
    state_dir::StateDir,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_joins_is_offered_to_placement_and_is_known_again_after_a_restart() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let facts = cloud.facts("one").await.unwrap();
    let hello = facts.hello.unwrap();
    assert!(hello.vcpus > 0 && hello.memory_mb > 0 && hello.hypervisor_version.starts_with(char::is_numeric), "{hello:?}");

    let told = async {
        while cloud.rooms.up.lock().unwrap().get(&facts.id) != Some(&true) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(super::cloud::PATIENCE, told).await.unwrap();
    let (inventories, traits) = cloud.offer(&facts.id).await;
    assert_eq!(inventories["VCPU"].allocation_ratio, 4.0);
    assert_eq!(inventories["MEMORY_MB"].total, hello.memory_mb);
    assert!(traits.contains("COMPUTE_NODE"));

    // Without the token this time: what it kept is enough.
    let mut config = node.stop().await;
    cloud.facts_when("one", |facts| !facts.up).await;
    config.join_token = None;
    let node = Node::start(config);
    assert_eq!(cloud.up("one").await.id, facts.id);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_one_host_once() {
    let cloud = Cloud::start().await;
    let token = cloud.token().await;
    let first = cloud.config("first", Some(token.clone()));
    let (state, _lock) = StateDir::open(&first.state_dir).unwrap();
    let identity = identity::join(&state, &first).await.unwrap();

    // The answer was lost: the same host, with the same key, is let in as the same node.
    std::fs::remove_file(state.identity().join("identity.json")).unwrap();
    let again = identity::join(&state, &first).await.unwrap();
    assert_eq!(again.node_id(), identity.node_id());

    let second = cloud.config("second", Some(token));
    let (state, _lock) = StateDir::open(&second.state_dir).unwrap();
    let error = identity::join(&state, &second).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.message.contains("wrong, expired or used")), "{error:?}");
    assert!(!error.is_transient());
    assert!(Identity::load(&state).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guessed_secret_is_refused() {
    let cloud = Cloud::start().await;
    let mut token: JoinToken = cloud.token().await.parse().unwrap();
    let (id, _) = token.secret.reveal().split_once('.').unwrap();
    token.secret = Secret::new(format!("{id}.{}", "0".repeat(64)));
    let config = cloud.config("guest", Some(token.to_word()));
    let (state, _lock) = StateDir::open(&config.state_dir).unwrap();
    assert!(matches!(identity::join(&state, &config).await, Err(Error::Refused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_fingerprint_is_refused() {
    let (cloud, other) = (Cloud::start().await, Cloud::start().await);
    let mut token: JoinToken = cloud.token().await.parse().unwrap();
    // Somebody in between answers in the controller's place.
    token.addresses = vec![other.address.clone()];
    let config = cloud.config("one", Some(token.to_word()));
    let (state, _lock) = StateDir::open(&config.state_dir).unwrap();
    let error = identity::join(&state, &config).await.unwrap_err();
    assert!(error.chain().contains("UnknownIssuer"), "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostname_that_is_taken_is_refused_with_the_way_out() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let config = cloud.config("one", Some(cloud.token().await));
    let (state, _lock) = StateDir::open(&cloud.dir.path().join("another")).unwrap();
    let error = identity::join(&state, &config).await.unwrap_err();
    assert!(error.chain().contains("remove it first"), "{}", error.chain());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_joining_goes_without_a_certificate() {
    let cloud = Cloud::start().await;
    let token: JoinToken = cloud.token().await.parse().unwrap();
    let client = Client::connect(&cloud.address, joining(&token.authority).unwrap()).await.unwrap();
    for path in ["/v1/session", "/v1/observed", "/v1/answers/1", "/v1/renew"] {
        let error = client.post::<_, serde_json::Value>(path, &serde_json::json!({})).await.unwrap_err();
        assert!(error.chain().contains("join first"), "{path}: {}", error.chain());
    }
    let error = client.get(&format!("/v1/images/{}", "0".repeat(128))).await.unwrap_err();
    assert!(error.chain().contains("join first"), "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_is_shut_out() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let (config, state) = (node.config.clone(), node.dir().to_owned());
    node.stop().await;
    let (state, lock) = StateDir::open(&state).unwrap();
    let identity = Identity::load(&state).unwrap().unwrap();
    let client = Client::connect(&cloud.address, identity.tls().unwrap()).await.unwrap();
    assert!(client.renew(&identity.credentials().unwrap()).await.is_ok());

    cloud.fleet.remove_node(&id, Actor::system("test")).await.unwrap();
    let error = client.renew(&identity.credentials().unwrap()).await.unwrap_err();
    assert!(error.chain().contains("revoked"), "{}", error.chain());
    assert!(cloud.facts("one").await.is_none());
    assert!(!cloud.rooms.providers.lock().unwrap().contains_key(&id));

    // The host may come again, as another node.
    drop(lock);
    std::fs::remove_dir_all(&config.state_dir).unwrap();
    let node = cloud.node("one").await;
    assert_ne!(cloud.facts("one").await.unwrap().id, id);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_common_version_is_refused_in_words() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let hello = cloud.facts("one").await.unwrap().hello.unwrap();
    let config = node.stop().await;
    let (state, _lock) = StateDir::open(&config.state_dir).unwrap();
    let identity = Identity::load(&state).unwrap().unwrap();
    let client = Client::connect(&cloud.address, identity.tls().unwrap()).await.unwrap();
    let newer = Hello { speaks: Versions::since(PROTOCOL, PROTOCOL + 4), ..hello.clone() };
    client.begin_post("/v1/session", &newer).await.unwrap();
    let cases = [
        (Versions::only(PROTOCOL + 1), "bring the controllers up to date first"),
        (Versions::only(1), "bring the host up to date"),
    ];
    for (speaks, way_out) in cases {
        let error = client.begin_post("/v1/session", &Hello { speaks, ..hello.clone() }).await.unwrap_err();
        assert!(error.chain().contains(way_out), "{}", error.chain());
    }
}
