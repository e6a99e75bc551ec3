// SPDX-License-Identifier: Apache-2.0
//! What whoever keeps the bytes of objects does, wherever they lie.

use contracts::{
    RefusalKind,
    data::{Data, Piece},
};
use types::Timestamp;

use super::{broken_off, content, get, open, part, put, put_in};

const MIB: usize = 1 << 20;

pub async fn all(data: &dyn Data) {
    what_is_put_is_read(data).await;
    any_part_is_read(data).await;
    what_breaks_off_leaves_nothing(data).await;
    what_is_given_up_is_gone_and_nothing_else(data).await;
    what_an_owner_put_is_abandoned_by_its_name(data).await;
    the_survey_tells_all_there_is(data).await;
}

async fn what_is_put_is_read(data: &dyn Data) {
    let mut lots = Vec::new();
    // Around the sizes of runs, blocks and pieces, with hints that are right, missing and wrong.
    let lengths = [1, 4095, 65_536, 65_537, 262_144, 300_001, 4 * MIB, 8 * MIB, 8 * MIB + 1, 19 * MIB + 5];
    for (salt, length) in (1..).zip(lengths) {
        let content = content(length, salt);
        let hints = [Some(length as u64), None, Some(3), Some(100 * length as u64)];
        let hint = hints[usize::try_from(salt).unwrap() % 4];
        let run = [70_000, 1_000_003, 8192][length % 3];
        let pieces = put_in(data, &format!("owner-{salt}"), &content, hint, run).await.unwrap();
        assert_eq!(pieces.iter().map(|piece| piece.length).sum::<u64>(), length as u64);
        let fits = |piece: &Piece| [piece.segment, piece.offset, piece.checksum].iter().all(|number| *number < 1 << 63);
        assert!(pieces.iter().all(fits));
        lots.push((content, pieces));
    }
    for (content, pieces) in &lots {
        assert!(get(data, pieces).await.unwrap() == *content, "{} bytes", content.len());
        data.give_up(pieces).await.unwrap();
    }
    assert_eq!(put(data, "nothing", &[]).await.unwrap(), []);
}

async fn any_part_is_read(data: &dyn Data) {
    let content = content(9 * MIB, 7);
    let pieces = put(data, "parts", &content).await.unwrap();
    let edges = [0, 1, 65_535, 65_536, 65_537, 4 * MIB - 1, 4 * MIB, 8 * MIB - 3, 8 * MIB + 70_000, 9 * MIB];
    for (at, from) in edges.iter().enumerate() {
        for to in &edges[at..] {
            let read = part(data, &pieces, *from as u64..*to as u64).await.unwrap();
            assert!(read == content[*from..*to], "{from}..{to}");
        }
    }
    let beyond = part(data, &pieces, 9 * MIB as u64 - 2..u64::MAX).await.unwrap();
    assert!(beyond == content[9 * MIB - 2..]);
    data.give_up(&pieces).await.unwrap();
}

async fn what_breaks_off_leaves_nothing(data: &dyn Data) {
    let refusal = broken_off(data, "broken", &content(9 * MIB, 3)).await;
    assert_eq!(refusal.kind, RefusalKind::Invalid, "{refusal}");
    let refusal = put(data, &"long".repeat(30), &[1]).await.unwrap_err();
    assert!(refusal.message.contains("longer than"), "{refusal}");
    until_there_are(data, 0).await;
}

async fn what_is_given_up_is_gone_and_nothing_else(data: &dyn Data) {
    let (one, two) = (content(300_000, 1), content(5 * MIB, 2));
    let first = put(data, "one", &one).await.unwrap();
    let second = put(data, "two", &two).await.unwrap();
    data.give_up(&first).await.unwrap();
    data.give_up(&first).await.unwrap();
    assert!(get(data, &first).await.is_err());
    assert!(get(data, &second).await.unwrap() == two);
    // A row that tells something else of this place takes nothing away, and is told nothing.
    let wrong = Piece { checksum: second[0].checksum ^ 1, ..second[0] };
    assert!(get(data, &[wrong]).await.is_err());
    let nowhere = Piece { segment: 12, offset: 4096, length: 10, checksum: 3 };
    data.give_up(&[nowhere]).await.unwrap();
    assert!(get(data, &[nowhere]).await.is_err());
    data.give_up(&second).await.unwrap();
    until_there_are(data, 0).await;
}

async fn what_an_owner_put_is_abandoned_by_its_name(data: &dyn Data) {
    let begun = Timestamp::now();
    let theirs = put(data, "crashed", &content(9 * MIB, 5)).await.unwrap();
    let kept = put(data, "crashed-not", &content(70_000, 6)).await.unwrap();
    data.abandon(&["crashed".into(), "never-there".into()], begun).await.unwrap();
    data.abandon(&[], begun).await.unwrap();
    assert!(get(data, &theirs).await.is_err());
    assert_eq!(get(data, &kept).await.unwrap().len(), 70_000);
    data.give_up(&kept).await.unwrap();
}

async fn the_survey_tells_all_there_is(data: &dyn Data) {
    let before = Timestamp::from_seconds(Timestamp::now().seconds() - 2);
    let mut put_there = Vec::new();
    for at in 0..7 {
        put_there.extend(put(data, &format!("s-{at}"), &content(80_000 + at, 8)).await.unwrap());
    }
    put_there.sort_unstable();
    let later = Timestamp::from_seconds(Timestamp::now().seconds() + 2);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = data.survey(after, later, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.segment, last.offset));
        seen.extend(page);
    }
    let places = |pieces: &[Piece]| pieces.iter().map(|piece| (piece.segment, piece.offset, piece.length)).collect::<Vec<_>>();
    assert_eq!(places(&seen), places(&put_there));
    assert_eq!(data.survey(None, before, 100).await.unwrap(), []);
    // What the survey tells can be given up, checksum or not.
    data.give_up(&seen).await.unwrap();
    until_there_are(data, 0).await;
}

/// What is let go goes soon.
pub async fn until_there_are(data: &dyn Data, pieces: usize) {
    let later = Timestamp::from_seconds(Timestamp::now().seconds() + 60);
    for _ in 0..500 {
        if data.survey(None, later, 100).await.unwrap().len() == pieces {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{:?} are there", data.survey(None, later, 100).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_a_folder_behave() {
    let folder = tempfile::tempdir().unwrap();
    all(&open(folder.path())).await;
}
