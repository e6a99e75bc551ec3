// SPDX-License-Identifier: Apache-2.0
//! Sessions: one at a time, and again when they break.

use std::time::Duration;

use contracts::node::{MachineState, Observed};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
};
use crate::{Error, identity::Identity, link::Client, state_dir::StateDir};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_session_replaces_the_first() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let hello = cloud.facts("one").await.unwrap().hello.unwrap();
    let config = node.stop().await;
    let (state, _lock) = StateDir::open(&config.state_dir).unwrap();
    let identity = Identity::load(&state).unwrap().unwrap();
    let observed = Observed { as_of: 1, complete: true, things: vec![] };
    let report = async |client: &Client| client.post::<_, serde_json::Value>("/v1/observed", &observed).await;

    let old = Client::connect(&cloud.address, identity.tls().unwrap()).await.unwrap();
    let mut old_lines = old.begin_post("/v1/session", &hello).await.unwrap().into_body();
    report(&old).await.unwrap();
    let new = Client::connect(&cloud.address, identity.tls().unwrap()).await.unwrap();
    let mut new_lines = new.begin_post("/v1/session", &hello).await.unwrap().into_body();
    report(&new).await.unwrap();

    let late = report(&old).await.unwrap_err();
    assert!(matches!(&late, Error::Refused(refusal) if refusal.message.contains("another took its place")), "{late:?}");
    let ended = async { while old_lines.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert!(new_lines.frame().await.unwrap().is_ok());
    assert!(cloud.facts("one").await.unwrap().up);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_comes_back_when_the_controller_does() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let cloud = cloud.restart().await;
    cloud.up("one").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_again_until_the_controller_took_it_down() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    *cloud.rooms.deaf.lock().unwrap() = true;
    let machine = guest::machine(&cloud, &guest::obedient());
    cloud.want(&id, &machine);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(cloud.rooms.last(&machine.server_id), None);
    *cloud.rooms.deaf.lock().unwrap() = false;
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_directory_has_one_agent() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let second = Node::start(node.config.clone());
    let error = second.running.await.unwrap().unwrap_err();
    assert!(error.chain().contains("another agent runs"), "{}", error.chain());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_went_silent_is_noticed_by_both_sides() {
    let cloud = Cloud::start().await;
    let wire = Wire::to(cloud.address.clone()).await;
    let mut config = cloud.config("one", Some(cloud.token().await));
    config.controllers = vec![wire.address.clone()];
    let node = Node::start(config);
    cloud.up("one").await;
    // No packet says that the other end is gone: they just stop coming.
    wire.cut.send_replace(true);
    let began = std::time::Instant::now();
    cloud.facts_when("one", |facts| !facts.up).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    wire.cut.send_replace(false);
    cloud.up("one").await;
    node.stop().await;
}

/// A wire between a node and its controller that can be cut without anybody being told.
struct Wire {
    address: String,
    cut: watch::Sender<bool>,
}

impl Wire {
    async fn to(controller: String) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap().to_string();
        let (cut, is_cut) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = tcp.accept().await {
                let far = TcpStream::connect(&controller).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, is_cut.clone()));
                tokio::spawn(carry(far_in, near_out, is_cut.clone()));
            }
        });
        Self { address, cut }
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_cut: watch::Receiver<bool>) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        is_cut.wait_for(|cut| !cut).await.unwrap();
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
