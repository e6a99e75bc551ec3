// SPDX-License-Identifier: Apache-2.0
//! Many transfers at once, with few threads, and somebody else beside them.

use std::{future::Future, io, time::Duration};

use api::{Limits, Pace, RequestBody};
use bounds::Threads;
use bytes::Bytes;
use futures_util::{StreamExt, future::join_all, stream};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tokio::time::{sleep, timeout};
use world::Talk;

use super::{create, imports::import, show, stage, start_with, task_of, upload};
use crate::Transfers;

/// For whoever is beside a crowd, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// With so few threads that each would be taken many times over, if a transfer held one.
#[allow(clippy::disallowed_methods)]
fn with_few_threads(test: impl Future<Output = ()>) {
    Threads::set_number_for_bytes(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build();
    runtime.unwrap().block_on(test);
}

/// One byte, and then silence.
async fn upload_in_silence(talk: Talk, id: String) -> StatusCode {
    let first = stream::once(async { Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"x"))) });
    let body: RequestBody = BodyExt::boxed(StreamBody::new(first.chain(stream::pending())));
    let request = Request::builder()
        .method("PUT")
        .uri(format!("/image/v2/images/{id}/file"))
        .header("x-auth-token", "member@greedy")
        .header("content-type", "application/octet-stream");
    talk.door.handle(request.body(body).unwrap()).await.status()
}

#[test]
fn silent_streams_hold_no_thread() {
    with_few_threads(async {
        let it = start_with(|settings| settings.transfers = Transfers { all: 64, per_project: 40, ..Transfers::default() }).await;
        let pace = Pace { idle: Duration::from_secs(3), bytes_per_second: 1000 };
        let talk = it.talk.with_limits(Limits { pace, ..Limits::default() });
        let (greedy, other) = (talk.as_("member@greedy"), talk.as_("member@other"));
        let mut ids = Vec::new();
        for _ in 0..40 {
            ids.push(create(&greedy, "raw").await);
        }
        let crowd: Vec<_> = ids.iter().map(|id| tokio::spawn(upload_in_silence(greedy.clone(), id.clone()))).collect();
        for id in &ids {
            while show(&greedy, id).await["status"] != "saving" {
                sleep(Duration::from_millis(5)).await;
            }
        }
        // Somebody else's list, upload, import and download go on.
        let beside = async {
            other.get("/image/v2/images").await.expect(200);
            let id = create(&other, "raw").await;
            upload(&other, &id, vec![7; 900_000]).await.expect(204);
            let id = create(&other, "raw").await;
            stage(&other, &id, vec![8; 900_000]).await.expect(204);
            other.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
            assert_eq!(task_of(&other, &id).await["status"], "success");
            assert_eq!(other.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
        };
        timeout(SOON, beside).await.expect("nobody waits for those who are silent");
        for answer in join_all(crowd).await {
            assert_eq!(answer.unwrap(), 408);
        }
        for id in &ids {
            assert_eq!(show(&greedy, id).await["status"], "queued");
        }
    });
}

#[test]
fn forty_imports_end_with_few_threads() {
    with_few_threads(async {
        let it = start_with(|settings| settings.transfers = Transfers { per_project: 40, ..Transfers::default() }).await;
        let talk = it.member();
        let mut ids = Vec::new();
        for number in 0..40 {
            let id = create(&talk, "raw").await;
            stage(&talk, &id, vec![number; 700_000]).await.expect(204);
            ids.push(id);
        }
        for id in &ids {
            talk.post(&import(id), json!({"method": {"name": "glance-direct"}, "all_stores": true})).await.expect(202);
        }
        for id in &ids {
            assert_eq!(task_of(&talk, id).await["status"], "success");
        }
        assert_eq!((it.files("file"), it.files("slow"), it.files("staging")), (40, 40, 0));
    });
}

#[tokio::test]
async fn a_project_that_has_all_its_turns_is_told_so_and_another_has_its_own() {
    let it = start_with(|settings| {
        settings.transfers = Transfers { all: 3, per_project: 2, patience: Duration::from_millis(100) };
    })
    .await;
    let (greedy, other) = (it.talk.as_("member@greedy"), it.talk.as_("member@other"));
    let mut held = Vec::new();
    for _ in 0..2 {
        let id = create(&greedy, "raw").await;
        held.push(tokio::spawn(upload_in_silence(greedy.clone(), id.clone())));
        while show(&greedy, &id).await["status"] != "saving" {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let waits = create(&greedy, "raw").await;
    let said = upload(&greedy, &waits, vec![1; 600]).await;
    assert_eq!((said.status.as_u16(), &said.headers["retry-after"]), (429, &"30".parse().unwrap()));
    assert!(super::message(&said.body).contains("2 images of this project get data now"), "{}", said.body);
    assert_eq!(show(&greedy, &waits).await["status"], "queued");
    let id = create(&other, "raw").await;
    upload(&other, &id, vec![1; 600]).await.expect(204);
    held.iter().for_each(tokio::task::JoinHandle::abort);
}
