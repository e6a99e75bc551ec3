// SPDX-License-Identifier: Apache-2.0
//! Space comes back, files stay few, and the disk is asked once for many.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use contracts::data::Data;
use futures_util::{StreamExt, stream};

use super::{behaviour::until_there_are, content, get, open, put, settings};
use crate::{Segments, Settings};

/// What the files of a folder take on the disk.
pub fn taken(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_is_given_up_comes_back_while_the_neighbours_stay() {
    let folder = tempfile::tempdir().unwrap();
    let data = Segments::open(folder.path().to_owned(), Settings { segment: 4 << 20, ..settings() }).unwrap();
    let mut lots = Vec::new();
    for at in 0..100_u64 {
        let content = content(200_000, at);
        let pieces = put(&data, &format!("o-{at}"), &content).await.unwrap();
        lots.push((content, pieces));
    }
    let full = taken(folder.path());
    assert!(full > 20_000_000, "{full}");
    let gone: Vec<_> = lots.iter().skip(1).step_by(2).flat_map(|(_, pieces)| pieces.clone()).collect();
    data.give_up(&gone).await.unwrap();
    let half = taken(folder.path());
    assert!(half < full * 55 / 100, "{half} of {full}");
    for (content, pieces) in lots.iter().step_by(2) {
        assert!(get(&data, pieces).await.unwrap() == *content);
    }
    let rest: Vec<_> = lots.iter().step_by(2).flat_map(|(_, pieces)| pieces.clone()).collect();
    data.give_up(&rest).await.unwrap();
    drop(data);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the lock alone is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_waits_for_gives_its_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = open(folder.path());
    let runs = (0..160).map(|at| Ok(Bytes::from(content(65_536, at))));
    let never = stream::iter(runs).chain(stream::pending());
    let upload = data.put("gone", None, Box::pin(never));
    // The bytes have come, and the upload has not ended.
    let waited = tokio::time::timeout(std::time::Duration::from_millis(500), upload).await;
    assert!(waited.is_err());
    until_there_are(&data, 0).await;
    for _ in 0..500 {
        if taken(folder.path()) < 100_000 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{} bytes are still taken", taken(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_uploads_hold_little_memory_and_few_files() {
    let folder = tempfile::tempdir().unwrap();
    let narrow = Settings { segment: 1 << 20, open_files: 4, memory: 1 << 20, ..settings() };
    let data = Arc::new(Segments::open(folder.path().to_owned(), narrow).unwrap());
    let most = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let uploads = (0..50_u64).map(|at| {
        let (data, most) = (data.clone(), most.clone());
        async move {
            let content = content(700_000, at);
            let held = data.clone();
            let runs: Vec<_> = content.chunks(16_384).map(|run| Ok(Bytes::copy_from_slice(run))).collect();
            let slowly = stream::iter(runs).then(move |run| {
                most.fetch_max(held.inner.held.load(Ordering::Relaxed), Ordering::Relaxed);
                async {
                    tokio::task::yield_now().await;
                    run
                }
            });
            (data.put(&format!("m-{at}"), None, Box::pin(slowly)).await.unwrap(), content)
        }
    });
    let all: Vec<_> = stream::iter(uploads).buffer_unordered(50).collect().await;
    for (pieces, content) in &all {
        assert!(get(&*data, pieces).await.unwrap() == *content);
    }
    let most = most.load(Ordering::Relaxed);
    assert!(most <= (1 << 20) + 50 * 16_384, "{most} bytes waited in memory");
    let ours = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_link(entry.ok()?.path()).ok().filter(|path| path.starts_with(folder.path()))
    };
    let files = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(ours).count();
    assert!(files <= 4 + 1, "{files} files are open");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_end_together_share_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let data = open(folder.path());
    let uploads = (0..200_u64).map(|at| {
        let data = data.clone();
        async move { put(&data, &format!("g-{at}"), &content(4096, at)).await.unwrap() }
    });
    let pieces: Vec<_> = stream::iter(uploads).buffer_unordered(64).collect::<Vec<_>>().await.concat();
    let syncs = data.inner.underway.syncs.load(Ordering::Relaxed);
    assert_eq!(pieces.len(), 200);
    assert!(syncs < 100, "{syncs} syncs for 200 uploads");
}
