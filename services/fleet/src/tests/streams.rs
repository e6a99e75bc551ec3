// SPDX-License-Identifier: Apache-2.0
//! Streams of bytes: who may open them, how many, and how each is slowed down by its reader.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contracts::{
    RefusalKind,
    node::{Stream, Transfer},
    nodes::Nodes,
};
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use node::{Error, link::Sent};
use tokio::time::timeout;

use super::cloud::{Cloud, PATIENCE};
use crate::Limits;

const PIECE: usize = 64 << 10;

/// So many pieces; how many were asked for is counted.
fn pieces(number: u64, asked: Arc<AtomicU64>) -> Sent {
    let pieces = futures_util::stream::unfold(0, move |sent| {
        let asked = asked.clone();
        async move {
            (sent < number).then(|| {
                asked.fetch_add(1, Ordering::Relaxed);
                let piece = Bytes::from(vec![u8::try_from(sent % 251).unwrap(); PIECE]);
                (Ok::<_, io::Error>(Frame::data(piece)), sent + 1)
            })
        }
    });
    StreamBody::new(Box::pin(pieces)).boxed_unsync()
}

/// Half of it, and a while later nothing more.
fn broken() -> Sent {
    let half = futures_util::stream::once(async { Ok(Frame::data(Bytes::from_static(b"half"))) });
    let end = futures_util::stream::once(async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(io::Error::other("the sender died"))
    });
    StreamBody::new(Box::pin(half.chain(end))).boxed_unsync()
}

fn refused(error: &Error, kind: RefusalKind) -> bool {
    matches!(error, Error::Refused(refusal) | Error::NotNow { refusal, .. } if refusal.kind == kind)
}

fn transfer() -> Transfer {
    Transfer { server_id: "s".into(), of: "a move".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_its_stream_to_its_node_only() {
    let cloud = Cloud::start().await;
    let (one, two) = (cloud.stranger("one").await, cloud.stranger("two").await);
    let image = cloud.dir.path().join("image");
    std::fs::write(&image, vec![7; 3 * PIECE]).unwrap();
    *cloud.rooms.image.lock().unwrap() = Some(image);
    let read = cloud.fleet.ticket(&one.id, &Stream::Image { sha512: "ab".repeat(64) });
    let data = one.client.get(&read.path()).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(data.len(), 3 * PIECE);
    let send = cloud.fleet.ticket(&one.id, &Stream::Snapshot { image_id: "i".into() });
    one.client.put(&send.path(), pieces(5, Arc::default()), 5 * PIECE as u64).await.unwrap();
    assert_eq!(cloud.rooms.taken.lock().unwrap()[&"i".into()], 5 * PIECE);

    assert!(refused(&two.client.get(&read.path()).await.unwrap_err(), RefusalKind::NotFound));
    let stolen = two.client.put(&send.path(), pieces(1, Arc::default()), PIECE as u64).await.unwrap_err();
    assert!(refused(&stolen, RefusalKind::NotFound));
    let wrong_way = one.client.get(&send.path()).await.unwrap_err();
    assert!(refused(&wrong_way, RefusalKind::NotFound));
    assert!(refused(&one.client.get("/v1/streams/guess.work").await.unwrap_err(), RefusalKind::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_so_many_streams_and_others_have_theirs() {
    let limits = Limits { streams: 3, streams_per_node: 2, ..Limits::default() };
    let cloud = Cloud::with(limits).await;
    let (one, two) = (cloud.stranger("one").await, cloud.stranger("two").await);
    let image = cloud.dir.path().join("image");
    std::fs::write(&image, vec![7; 64 << 20]).unwrap();
    *cloud.rooms.image.lock().unwrap() = Some(image);
    let path = |id| cloud.fleet.ticket(id, &Stream::Image { sha512: "ab".repeat(64) }).path();
    let held = [one.client.get(&path(&one.id)).await.unwrap(), one.client.get(&path(&one.id)).await.unwrap()];
    let third = one.client.get(&path(&one.id)).await.unwrap_err();
    assert!(refused(&third, RefusalKind::Unavailable) && third.to_string().contains("2 streams"), "{third}");
    drop(two.client.get(&path(&two.id)).await.unwrap());
    drop(held);
    // What is let go makes room.
    let again = async { while one.client.get(&path(&one.id)).await.is_err() {} };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_goes_from_node_to_node_as_fast_as_it_is_read_and_again_when_it_broke_off() {
    let cloud = Cloud::start().await;
    let (from, to) = (cloud.stranger("from").await, cloud.stranger("to").await);
    let out = cloud.fleet.ticket(&from.id, &Stream::DiskOut { transfer: transfer() }).path();
    let into = cloud.fleet.ticket(&to.id, &Stream::DiskIn { transfer: transfer() }).path();
    assert!(refused(&to.client.get(&out).await.unwrap_err(), RefusalKind::NotFound));

    // It breaks off: both ends learn of it.
    let (sent, read) = tokio::join!(from.client.put(&out, broken(), 1 << 20), async {
        to.client.get(&into).await.unwrap().into_body().collect().await
    });
    assert!(sent.is_err() && read.is_err(), "{sent:?}, {read:?}");

    // Both come again. Nothing is kept on the way: what nobody reads is not sent.
    let asked = Arc::new(AtomicU64::new(0));
    let number = 2000;
    let sending = {
        let (client, out, asked) = (from.client.clone(), out.clone(), asked.clone());
        tokio::spawn(async move { client.put(&out, pieces(number, asked), number * PIECE as u64).await })
    };
    let mut body = timeout(PATIENCE, to.client.get(&into)).await.unwrap().unwrap().into_body();
    let mut length = body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let under_way = asked.load(Ordering::Relaxed);
    assert!(under_way < number / 2, "{under_way} pieces of {PIECE} bytes were sent though one was read");
    length += body.collect().await.unwrap().to_bytes().len();
    timeout(PATIENCE, sending).await.unwrap().unwrap().unwrap();
    assert_eq!(length, usize::try_from(number).unwrap() * PIECE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_whose_reader_went_away_is_told_to_come_again() {
    let cloud = Cloud::start().await;
    let (from, to) = (cloud.stranger("from").await, cloud.stranger("to").await);
    let out = cloud.fleet.ticket(&from.id, &Stream::DiskOut { transfer: transfer() }).path();
    let into = cloud.fleet.ticket(&to.id, &Stream::DiskIn { transfer: transfer() }).path();
    let sending = tokio::spawn(async move { from.client.put(&out, pieces(4000, Arc::default()), 4000 * PIECE as u64).await });
    let mut body = timeout(PATIENCE, to.client.get(&into)).await.unwrap().unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop((body, to));
    let told = timeout(PATIENCE, sending).await.unwrap().unwrap().unwrap_err();
    assert!(refused(&told, RefusalKind::Unavailable) || matches!(told, Error::Http(_)), "{told:?}");
}
