// SPDX-License-Identifier: Apache-2.0
//! kill -9 in the middle of uploads, again and again, in one folder.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use contracts::data::{Data, Piece};
use futures_util::{StreamExt, stream};
use types::Timestamp;

use super::{behaviour::until_there_are, content, get, open, put};

const FOLDER: &str = "SEGMENTS_TEST_FOLDER";

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nothing_acknowledged_and_leaves_nothing_half_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    let begun = Timestamp::now();
    for round in 0..4_u64 {
        let path = folder.path().to_owned();
        let told = tokio::task::spawn_blocking(move || put_until_killed(&path, round)).await.unwrap();
        assert!(!told.is_empty());
        acknowledged.extend(told);
        let data = open(folder.path());
        for (salt, length, pieces) in &acknowledged {
            assert!(get(&data, pieces).await.unwrap() == content(*length, *salt), "{salt} after round {round}");
        }
    }
    // Whole pieces that nobody was told of have an owner, who is known by name.
    let data = open(folder.path());
    let known: Vec<Piece> = acknowledged.iter().flat_map(|(_, _, pieces)| pieces.clone()).collect();
    let later = Timestamp::from_seconds(Timestamp::now().seconds() + 60);
    let there = data.survey(None, later, usize::MAX).await.unwrap();
    assert!(known.iter().all(|piece| there.contains(piece)));
    let told: Vec<u64> = acknowledged.iter().map(|(salt, ..)| *salt).collect();
    let untold = (0..40_000).filter(|salt| !told.contains(salt)).map(|salt| format!("k-{salt}")).collect::<Vec<_>>();
    data.abandon(&untold, begun).await.unwrap();
    until_there_are(&data, known.len().min(100)).await;
    data.give_up(&known).await.unwrap();
    drop(data);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the lock alone is left");
}

/// Starts this test binary as a child that uploads, kills it, and answers what it was told.
fn put_until_killed(folder: &Path, round: u64) -> Vec<(u64, usize, Vec<Piece>)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::child_that_uploads", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env("ROUND", round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    let hear = |line: String| {
        let mut words = line.strip_prefix("put ")?.split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let (salt, length) = (number()?, number()?);
        let mut pieces = Vec::new();
        while let (Some(segment), Some(offset), Some(length), Some(checksum)) = (number(), number(), number(), number()) {
            pieces.push(Piece { segment, offset, length, checksum });
        }
        Some((salt, usize::try_from(length).ok()?, pieces))
    };
    for line in lines.by_ref().take(40) {
        told.extend(hear(line.unwrap()));
    }
    // A different moment each round.
    std::thread::sleep(std::time::Duration::from_micros(900 * round));
    child.kill().unwrap();
    child.wait().unwrap();
    told.extend(lines.map_while(Result::ok).filter_map(hear));
    told
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by kill_nine_loses_nothing_acknowledged_and_leaves_nothing_half_made"]
async fn child_that_uploads() {
    let data = open(&PathBuf::from(std::env::var_os(FOLDER).unwrap()));
    let round: u64 = std::env::var("ROUND").unwrap().parse().unwrap();
    let uploads = (0..10_000).map(|at| {
        let (data, salt) = (data.clone(), round * 10_000 + at);
        async move {
            let length = [5000, 70_000, 300_000, 3_000_000, 9_000_000][usize::try_from(salt % 5).unwrap()];
            let pieces = put(&data, &format!("k-{salt}"), &content(length, salt)).await.unwrap();
            let numbers = pieces.iter().flat_map(|piece| [piece.segment, piece.offset, piece.length, piece.checksum]);
            let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
            println!("put {salt} {length} {}", numbers.join(" "));
        }
    });
    stream::iter(uploads).buffer_unordered(12).collect::<Vec<_>>().await;
}
