// SPDX-License-Identifier: Apache-2.0
//! What disks do: they flip bits, fill up, and lose their last words.

use std::{fs::OpenOptions, os::unix::fs::FileExt, process::Command};

use contracts::{RefusalKind, data::Data};
use types::Timestamp;

use super::{broken_off, content, get, open, part, put, settings};
use crate::{Segments, Settings, files::OPEN, layout};

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_an_error_and_never_wrong_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = open(folder.path());
    let content = content(300_000, 1);
    let piece = put(&data, "who", &content).await.unwrap()[0];
    let path = data.inner.files.path(piece.segment, OPEN);
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let begin = piece.offset + layout::head_length(300_000);
    let flip = |at: u64| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 16], at).unwrap();
    };
    for at in [begin, begin + 65_536, begin + 299_999, piece.offset + 33, piece.offset + 127, piece.offset + 130] {
        flip(at);
        let error = get(&data, &[piece]).await.unwrap_err();
        assert!(error.to_string().contains("put the object again"), "{at}: {error}");
        flip(at);
    }
    // What is not touched by the damage is read.
    flip(begin + 70_000);
    assert!(part(&data, &[piece], 0..65_536).await.unwrap() == content[..65_536]);
    assert!(part(&data, &[piece], 65_536..65_537).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_torn_goes_with_the_next_start_and_what_was_whole_stays() {
    let folder = tempfile::tempdir().unwrap();
    let content = content(300_000, 1);
    let (pieces, path) = {
        let data = open(folder.path());
        let pieces = put(&data, "whole", &content).await.unwrap();
        let path = data.inner.files.path(pieces[0].segment, OPEN);
        // As a process leaves it that is killed: open, with the bytes of an upload that has no head yet, among them
        // some that look like a head, and half a head.
        let copy = folder.path().join("copy");
        std::fs::copy(&path, &copy).unwrap();
        drop(data);
        std::fs::remove_file(path.with_extension("segment")).unwrap();
        std::fs::rename(copy, &path).unwrap();
        (pieces, path)
    };
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let end = file.metadata().unwrap().len().next_multiple_of(layout::PAGE);
    let head = layout::Head { length: 9, capacity: 9, stamp: 1, at: 1, owner: "guess".into(), sums: vec![1] };
    let (number, seal) = (pieces[0].segment, [0; 16]);
    file.write_all_at(&head.write(&seal, number, end), end).unwrap();
    file.write_all_at(&[7; 100_000], end + layout::PAGE).unwrap();
    std::fs::write(folder.path().join("00000000000000ff.open"), "FERRO").unwrap();

    let data = open(folder.path());
    assert!(get(&data, &pieces).await.unwrap() == content);
    let later = Timestamp::from_seconds(Timestamp::now().seconds() + 60);
    assert_eq!(data.survey(None, later, 10).await.unwrap(), pieces);
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [format!("{number:016x}.segment").as_str(), "lock"]);
    assert!(super::space::taken(folder.path()) < 330_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_one_process_s() {
    let folder = tempfile::tempdir().unwrap();
    let _data = open(folder.path());
    let error = Segments::open(folder.path().to_owned(), settings()).err().unwrap();
    assert!(error.to_string().contains("in use by another process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_would_fill_the_disk_are_refused_before_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let data = Segments::open(folder.path().to_owned(), Settings { keep_free: 1 << 60, ..settings() }).unwrap();
    let refusal = put(&data, "who", &[1; 5000]).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Exhausted);
    assert!(refusal.message.contains("no space left for objects"), "{refusal}");
}

/// On a file system of its own, in a process of its own, which alone sees it.
#[test]
fn a_full_disk_says_so_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=20m tmpfs {} && exec {} --exact tests::disk::child_on_a_full_disk --ignored",
        folder.path().display(),
        std::env::current_exe().unwrap().display(),
    );
    let child = Command::new("unshare").args(["-m", "sh", "-c", &script]).env("FULL_DISK", folder.path()).status();
    assert!(child.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by a_full_disk_says_so_and_harms_nothing"]
async fn child_on_a_full_disk() {
    let folder = std::path::PathBuf::from(std::env::var_os("FULL_DISK").unwrap());
    let data = open(&folder);
    let before = content(5 << 20, 1);
    let kept = put(&data, "before", &before).await.unwrap();
    for attempt in 0..3 {
        let refusal = put(&data, "too-much", &content(30 << 20, 2)).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Exhausted, "{attempt}: {refusal}");
        assert!(get(&data, &kept).await.unwrap() == before);
        // Its space comes back, so that what fits is taken.
        let mut fits = put(&data, "fits", &before).await;
        for _ in 0..200 {
            if fits.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            fits = put(&data, "fits", &before).await;
        }
        let fits = fits.unwrap();
        assert!(get(&data, &fits).await.unwrap() == before);
        data.give_up(&fits).await.unwrap();
    }
    broken_off(&data, "gone", &content(6 << 20, 3)).await;
    drop(data);
    assert!(get(&open(&folder), &kept).await.unwrap() == before);
}
