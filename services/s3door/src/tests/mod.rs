// SPDX-License-Identifier: Apache-2.0
//! The door on a port, over the object room and its segments, asked by Amazon's own client.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{net::SocketAddr, process::Command, sync::Arc};

use api::Listener;
use contracts::{
    BoxFuture, Refusal,
    access_keys::{AccessKey, AccessKeys},
    audit::Audit,
};
use object::Objects;
use segments::Segments;
use types::Secret;
use world::World;

use crate::{Door, Parts};

const WALK: &str = include_str!("walk.py");
const ATTACK: &str = include_str!("attack.py");
const SWIFT: &str = include_str!("swift.py");

/// The keys of two members of one project, of a reader of it, and of a member of another.
struct Known;

impl AccessKeys for Known {
    fn find<'a>(&'a self, access: &'a str) -> BoxFuture<'a, Result<Option<AccessKey>, Refusal>> {
        let token = match access {
            "MEMBER" => "member@demo/ada",
            "READER" => "reader@demo/bob",
            "OTHER" => "member@other/eve",
            _ => "",
        };
        let key = world::caller(token)
            .map(|caller| AccessKey { secret: Secret::new(format!("secret-of-{access}")), caller: Arc::new(caller) });
        Box::pin(async move { Ok(key) })
    }
}

struct Served {
    _world: World,
    address: SocketAddr,
    room: Objects,
    swift: SocketAddr,
}

async fn serve(limits: api::Limits) -> Served {
    let plan = object::ROOM.plan();
    let world = World::new(&[plan.migrations]).await;
    let settings = segments::Settings { keep_free: 0, ..segments::Settings::default() };
    let data = Arc::new(Segments::open(world.folder.path().join("objects"), settings).unwrap());
    let room = Objects::open(world.store.clone(), data, object::Settings::default()).await.unwrap();
    let policies = world::policies_in_force(&plan.policies, &plan.rules);
    let door = Door::new(Parts {
        objects: Arc::new(room.buckets(policies)),
        keys: Arc::new(Known),
        limits,
        region: "RegionOne".into(),
        domain: Some("s3.test".into()),
    });
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.unwrap();
    let address = listener.tcp.local_addr().unwrap();
    tokio::spawn(api::serve(listener, Arc::new(door), std::future::pending()));
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.unwrap();
    let swift = listener.tcp.local_addr().unwrap();
    let talk = world.talk(vec![room.service()], &plan.policies, &plan.rules);
    tokio::spawn(api::serve(listener, talk.door, std::future::pending()));
    Served { _world: world, address, room, swift }
}

impl Served {
    /// Runs a program of Amazon's client; it fails the test by failing.
    async fn run(&self, program: &'static str) {
        let (address, swift) = (self.address.to_string(), self.swift.to_string());
        let output = tokio::task::spawn_blocking(move || {
            let python = lab::Python::with_object_store().unwrap();
            Command::new(python.program("python")).args(["-c", program, &address, &swift]).output().unwrap()
        });
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
    }

    async fn finds_nothing_wrong(&self) {
        let findings = self.room.audit().await.unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn amazons_client_walks_through_all_that_is_here() {
    let served = serve(api::Limits::default()).await;
    served.run(WALK).await;
    served.finds_nothing_wrong().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_object_or_go_with_their_upload() {
    let served = serve(api::Limits::default()).await;
    served.run(include_str!("parts.py")).await;
    served.finds_nothing_wrong().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_sign_rightly_gets_nothing() {
    let pace = api::Pace { idle: std::time::Duration::from_secs(2), ..api::Pace::default() };
    let served = serve(api::Limits { pace, ..api::Limits::default() }).await;
    served.run(ATTACK).await;
    served.finds_nothing_wrong().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_swift_puts_s3_reads_and_the_other_way() {
    let served = serve(api::Limits::default()).await;
    served.run(SWIFT).await;
    served.finds_nothing_wrong().await;
}
