// SPDX-License-Identifier: Apache-2.0
//! The binary over PostgreSQL: one controller that is killed and started again, and two on one database.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod client;
mod controller;
mod lead;
mod silence;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};

use client::Client;
use controller::Controller;

/// How long what happens by itself may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_keeps_its_cloud_on_postgresql_when_it_is_killed() {
    let mut controller = Controller::new(&database::new_postgres_database().await);
    controller.start();
    controller.answers().await;
    let admin = controller.admin().await;

    let project = create(&admin, "/identity/v3/projects", json!({"project": {"name": "web"}})).await;
    let image = upload_image(&admin).await;
    let network = create(&admin, "/network/v2.0/networks", json!({"network": {"name": "n"}})).await;
    let subnet = json!({"subnet": {"network_id": network.id, "ip_version": 4, "cidr": "10.0.0.0/24"}});
    let subnet = create(&admin, "/network/v2.0/subnets", subnet).await;
    let port = create(&admin, "/network/v2.0/ports", json!({"port": {"network_id": network.id}})).await;
    let server = create_server(&admin, &image).await;
    let fault = until_error(&admin, &server).await;
    assert!(fault.contains("No valid host was found"), "{fault}");

    controller.kill();
    controller.start();
    controller.answers().await;
    // The token still opens, since keys and tables are as they were.
    for thing in [&project, &image, &network, &subnet, &port, &server] {
        admin.get(&thing.path()).await.expect(200);
    }
    assert_eq!(admin.get(&format!("{}/file", image.path())).await.body, Bytes::from_static(&DISK));
    let events = admin.get("/operator/v1/events?resource_type=project").await.expect(200);
    assert!(events["events"].as_array().unwrap().iter().any(|event| event["resource_id"] == project.id.as_str()));

    for thing in [server, port, subnet, network, image, project] {
        assert_eq!(admin.delete(&thing.path()).await.status, 204);
        until_gone(&admin, &thing).await;
    }
    assert!(!controller.log().contains("ERROR"), "{}", controller.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_controllers_on_one_postgresql_are_one_cloud() {
    let database = database::new_postgres_database().await;
    let (mut one, mut other) = (Controller::new(&database), Controller::new(&database));
    one.start();
    one.answers().await;
    one.share_secrets_with(&other);
    other.start();
    other.answers().await;
    let here = one.admin().await;
    let there = here.at(other.address);

    a_change_is_heard_at_the_other(&here, &there).await;
    writers_at_both_share_a_subnet(&here, &there).await;

    there.get("/identity/v3/users").await.expect(200);
    assert_eq!(here.delete("/identity/v3/auth/tokens").await.status, 204);
    let revoked = Instant::now();
    while there.get("/identity/v3/users").await.status != 401 {
        assert!(revoked.elapsed() < PATIENCE, "the other controller still takes the token");
    }
    println!("a revocation was heeded after {:?}", revoked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_start_together_make_one_cloud() {
    let database = database::new_postgres_database().await;
    // What they share is made by a controller over another database.
    let mut first = Controller::new(&database::new_postgres_database().await);
    first.start();
    first.answers().await;
    // A database that was begun: one without any tables is refused beside secrets.
    store::Store::open(&database).await.unwrap().migrate(&[]).await.unwrap();
    let mut controllers: Vec<Controller> = (0..3).map(|_| Controller::new(&database)).collect();
    for controller in &mut controllers {
        first.share_secrets_with(controller);
        controller.start();
    }
    for controller in &mut controllers {
        controller.answers().await;
    }
    let admin = controllers[0].admin().await;
    for controller in &controllers {
        let services = admin.at(controller.address).get("/identity/v3/services").await.expect(200);
        let kinds: Vec<&Value> = services["services"].as_array().unwrap().iter().map(|service| &service["type"]).collect();
        assert_eq!(kinds.len(), 9, "each service is in the catalog once: {kinds:?}");
    }
}

/// Something that was created, and the collection that it is in.
struct Thing {
    collection: &'static str,
    id: String,
}

impl Thing {
    fn path(&self) -> String {
        format!("{}/{}", self.collection, self.id)
    }
}

/// A disk of zeros, but for the last byte.
static DISK: [u8; 65_536] = {
    let mut disk = [0; 65_536];
    disk[65_535] = 1;
    disk
};

async fn create(client: &Client, collection: &'static str, document: Value) -> Thing {
    let answer = client.post(collection, document).await;
    assert!((200..300).contains(&answer.status), "POST {collection}: {}: {:?}", answer.status, answer.body);
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    // Glance's documents have no outer name.
    let id = document["id"].as_str().or_else(|| document.as_object()?.values().next()?["id"].as_str());
    Thing { collection, id: id.unwrap().to_owned() }
}

async fn upload_image(client: &Client) -> Thing {
    let image = json!({"name": "zeros", "disk_format": "raw", "container_format": "bare"});
    let image = create(client, "/image/v2/images", image).await;
    let sent = client.send_bytes("PUT", &format!("{}/file", image.path()), Bytes::from_static(&DISK)).await;
    assert_eq!(sent.status, 204, "{:?}", sent.body);
    image
}

async fn create_server(client: &Client, image: &Thing) -> Thing {
    let flavors = client.get("/compute/v2.1/flavors").await.expect(200);
    let smallest = flavors["flavors"].as_array().unwrap().iter().find(|flavor| flavor["name"] == "m1.micro");
    let flavor = smallest.unwrap()["id"].as_str().unwrap();
    let server = json!({"name": "web", "imageRef": image.id, "flavorRef": flavor, "networks": "none"});
    create(client, "/compute/v2.1/servers", json!({"server": server})).await
}

/// Waits until the server is in error; answers why.
async fn until_error(client: &Client, server: &Thing) -> String {
    let look = async {
        loop {
            let shown = client.get(&server.path()).await.expect(200);
            if shown["server"]["status"] == "ERROR" {
                return shown["server"]["fault"]["message"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("there is no host, so the server is in error soon")
}

async fn until_gone(client: &Client, thing: &Thing) {
    let look = async {
        while client.get(&thing.path()).await.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{} is still there", thing.path()));
}

async fn a_change_is_heard_at_the_other(here: &Client, there: &Client) {
    let follow = "/operator/v1/events?follow=true&after=now&resource_type=project";
    // The answer begins once the place in the stream is known, so nothing after it is missed.
    let mut stream = there.open("GET", follow, Bytes::new()).await.unwrap().into_body();
    let changed = Instant::now();
    let project = create(here, "/identity/v3/projects", json!({"project": {"name": "heard"}})).await;
    let line = timeout(PATIENCE, stream.frame()).await.expect("the change is heard").unwrap().unwrap().into_data().unwrap();
    println!("a change was heard after {:?}", changed.elapsed());
    let event: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&event["action"], &event["resource_id"]), (&json!("project.create"), &json!(project.id)));
    there.get(&project.path()).await.expect(200);
}

/// Both controllers hand out addresses of one small subnet at the same time: each to one port, and all of them.
async fn writers_at_both_share_a_subnet(here: &Client, there: &Client) {
    let network = create(here, "/network/v2.0/networks", json!({"network": {"name": "shared"}})).await;
    let subnet = json!({"subnet": {"network_id": network.id, "ip_version": 4, "cidr": "10.0.0.0/28", "enable_dhcp": false}});
    create(here, "/network/v2.0/subnets", subnet).await;
    let mut writers = JoinSet::new();
    for number in 0..16 {
        let client = if number % 2 == 0 { here.clone() } else { there.clone() };
        let port = json!({"port": {"network_id": network.id}});
        writers.spawn(async move { client.post("/network/v2.0/ports", port).await });
    }
    let mut addresses = BTreeSet::new();
    let mut refused = 0;
    for answer in writers.join_all().await {
        if answer.status == 409 {
            refused += 1;
        } else {
            let port = answer.expect(201);
            let address = port["port"]["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned();
            assert!(addresses.insert(address), "two ports have one address: {port}");
        }
    }
    // Of sixteen addresses three are the network's, the gateway's and the broadcast.
    assert_eq!((addresses.len(), refused), (13, 3));
}
