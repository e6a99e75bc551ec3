// SPDX-License-Identifier: Apache-2.0
//! Conversations with placement, and the races that it must not lose.
#![allow(clippy::unwrap_used)]

use contracts::placement::{Claim, Inventory, Placement as _, Resources};
use serde_json::json;
use types::{AllocationConsumer, NodeId, ProviderId};
use world::{Talk, World};

use crate::{Placement, ROOM};

const HOST: &str = "11111111-1111-4111-8111-111111111111";
const SERVER: &str = "22222222-2222-4222-8222-222222222222";

async fn start() -> (World, Placement, Talk) {
    let world = World::new(&[ROOM.migrations()]).await;
    let room = Placement::new(world.store.clone());
    let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules()).as_("admin").version("placement 1.39");
    (world, room, talk)
}

async fn with_host(talk: &Talk) {
    talk.post("/placement/resource_providers", json!({"name": "h1", "uuid": HOST})).await.expect(200);
    let inventories = json!({"resource_provider_generation": 0, "inventories": {
        "VCPU": {"total": 4, "allocation_ratio": 2.0}, "MEMORY_MB": {"total": 1000, "reserved": 200}}});
    talk.put(&format!("/placement/resource_providers/{HOST}/inventories"), inventories).await.expect(200);
}

fn allocation(vcpus: i64, generation: Option<i64>) -> serde_json::Value {
    json!({"allocations": {HOST: {"resources": {"VCPU": vcpus}}}, "project_id": "p1", "user_id": "u1",
        "consumer_generation": generation, "consumer_type": "INSTANCE"})
}

#[tokio::test]
async fn a_host_gives_and_takes_back() {
    let (_world, _room, talk) = start().await;
    with_host(&talk).await;
    talk.put(&format!("/placement/allocations/{SERVER}"), allocation(8, None)).await.expect(204);
    let usages = talk.get(&format!("/placement/resource_providers/{HOST}/usages")).await.expect(200);
    assert_eq!(usages["usages"], json!({"VCPU": 8, "MEMORY_MB": 0}));
    let shown = talk.get(&format!("/placement/allocations/{SERVER}")).await.expect(200);
    assert_eq!((&shown["consumer_generation"], &shown["consumer_type"]), (&json!(1), &json!("INSTANCE")));
    assert_eq!(talk.get("/placement/usages?project_id=p1").await.expect(200)["usages"]["all"]["VCPU"], 8);
    let refused = talk.delete(&format!("/placement/resource_providers/{HOST}")).await.expect(409);
    assert_eq!(refused["errors"][0]["code"], "placement.resource_provider.inuse");
    talk.delete(&format!("/placement/allocations/{SERVER}")).await.expect(204);
    talk.delete(&format!("/placement/allocations/{SERVER}")).await.expect(404);
    talk.delete(&format!("/placement/resource_providers/{HOST}")).await.expect(204);
}

#[tokio::test]
async fn candidates_are_those_with_room() {
    let (_world, _room, talk) = start().await;
    with_host(&talk).await;
    let found = talk.get("/placement/allocation_candidates?resources=VCPU:8,MEMORY_MB:800").await.expect(200);
    assert_eq!(found["allocation_requests"].as_array().unwrap().len(), 1);
    assert_eq!(found["provider_summaries"][HOST]["resources"]["VCPU"], json!({"capacity": 8, "used": 0}));
    for query in ["resources=VCPU:9", "resources=MEMORY_MB:801", "resources=VCPU:1&required=HW_ARCH_X86_64", "resources=VGPU:1"] {
        let found = talk.get(&format!("/placement/allocation_candidates?{query}")).await.expect(200);
        assert_eq!(found["allocation_requests"], json!([]), "{query}");
    }
}

#[tokio::test]
async fn an_older_generation_changes_nothing() {
    let (_world, _room, talk) = start().await;
    with_host(&talk).await;
    let stale = json!({"resource_provider_generation": 0, "inventories": {}});
    let refused = talk.put(&format!("/placement/resource_providers/{HOST}/inventories"), stale).await.expect(409);
    assert_eq!(refused["errors"][0]["code"], "placement.concurrent_update");
    talk.put(&format!("/placement/allocations/{SERVER}"), allocation(1, None)).await.expect(204);
    let refused = talk.put(&format!("/placement/allocations/{SERVER}"), allocation(2, None)).await.expect(409);
    assert_eq!(refused["errors"][0]["code"], "placement.concurrent_update");
    talk.put(&format!("/placement/allocations/{SERVER}"), allocation(2, Some(1))).await.expect(204);
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong() {
    let (_world, _room, talk) = start().await;
    with_host(&talk).await;
    let inventories = format!("/placement/resource_providers/{HOST}/inventories");
    let one =
        |class: &str, inventory: serde_json::Value| json!({"resource_provider_generation": 1, "inventories": {class: inventory}});
    let table = [
        (one("VCPU", json!({"total": 0})), 400, "total is between"),
        (one("VCPU", json!({"total": "many"})), 400, "inventories.VCPU.total"),
        (one("VCPU", json!({"total": 1, "reserved": 2})), 400, "reserved is not more"),
        (one("VCPU", json!({"total": 1, "allocation_ratio": -1})), 400, "allocation_ratio"),
        (one("COFFEE", json!({"total": 1})), 400, "No such resource class: COFFEE"),
        (json!({"inventories": {}}), 400, "resource_provider_generation"),
        (json!([1, {}]), 400, "JSON object"),
    ];
    for (body, status, words) in table {
        let said = talk.put(&inventories, body.clone()).await.expect(status);
        assert!(said["errors"][0]["detail"].as_str().unwrap().contains(words), "{body}: {said}");
    }
    talk.put(&format!("/placement/allocations/{SERVER}"), allocation(i64::MAX, None)).await.expect(409);
    talk.put("/placement/allocations/x", allocation(1, None)).await.expect(400);
    talk.get("/placement/resource_providers/nobody").await.expect(404);
    talk.as_("member@p1").get("/placement/resource_providers").await.expect(403);
    talk.as_("reader@p2").get("/placement/usages?project_id=p1").await.expect(403);
    talk.as_("reader@p1").get("/placement/usages?project_id=p1").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_for_the_last_room_has_one_winner() {
    let (_world, room, _talk) = start().await;
    let node = NodeId::new(HOST);
    let inventory = Inventory { total: 10, reserved: 0, allocation_ratio: 1.0 };
    room.ensure_provider(&node, "h1", &[("VCPU".to_owned(), inventory)].into(), &["HW_ARCH_X86_64".to_owned()].into())
        .await
        .unwrap();
    let mut takers = Vec::new();
    for _ in 0..32 {
        let room = room.clone();
        takers.push(tokio::spawn(async move {
            let need: Resources = [("VCPU".to_owned(), 1)].into();
            room.claim(&AllocationConsumer::generate(), &ProviderId::new(HOST), &need, &"p".into(), &"u".into()).await.unwrap()
        }));
    }
    let mut held = 0;
    for taker in takers {
        match taker.await.unwrap() {
            Claim::Held => held += 1,
            Claim::Full(classes) => assert_eq!(classes, ["VCPU"]),
        }
    }
    assert_eq!(held, 10);
    let consumers = room.consumers().await.unwrap();
    assert_eq!(consumers.len(), 10);
    // Claiming again what is held is fine and takes nothing more; releasing twice is fine too.
    let need: Resources = [("VCPU".to_owned(), 1)].into();
    assert_eq!(room.claim(&consumers[0], &ProviderId::new(HOST), &need, &"p".into(), &"u".into()).await.unwrap(), Claim::Held);
    for _ in 0..2 {
        room.release(&consumers[0]).await.unwrap();
    }
    assert_eq!(room.capacities().await.unwrap()[0].free["VCPU"], 1);
    // The host cannot go while anything is taken of it.
    let refused = room.release_provider(&node).await.unwrap_err();
    assert_eq!(refused.kind, contracts::RefusalKind::Conflict, "{refused}");
    for consumer in &consumers {
        room.release(consumer).await.unwrap();
    }
    for _ in 0..2 {
        room.release_provider(&node).await.unwrap();
    }
    assert!(room.capacities().await.unwrap().is_empty());
}

#[tokio::test]
async fn capacities_cost_the_same_for_many_hosts() {
    let (world, room, talk) = start().await;
    let cost = async || {
        let before = world.store.statements();
        room.capacities().await.unwrap();
        world.store.statements() - before
    };
    with_host(&talk).await;
    let one = cost().await;
    for number in 0..20 {
        talk.post("/placement/resource_providers", json!({"name": format!("host-{number}")})).await.expect(200);
    }
    assert_eq!(cost().await, one);
}
