// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use super::*;
use crate::{Board, Tasks};

/// Counts down each key to zero. Some have habits, by their names.
#[derive(Default)]
struct Countdown {
    left: Mutex<BTreeMap<String, u32>>,
    is_open: AtomicBool,
    is_blocked: AtomicBool,
    reads: AtomicUsize,
    attempts: AtomicUsize,
    at_work: AtomicUsize,
}

#[derive(Clone)]
struct Shared(Arc<Countdown>);

/// Counted for as long as an attempt is under way.
struct AtWork<'a>(&'a AtomicUsize);

impl<'a> AtWork<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl KeyedReconciler for Shared {
    fn name(&self) -> &'static str {
        "countdown"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        self.0.reads.fetch_add(1, SeqCst);
        let left = self.0.left.lock().unwrap();
        let pending = left.iter().filter(|(key, left)| **left > 0 && key.as_str() > after && !key.starts_with("unlisted"));
        Ok(pending.map(|(key, _)| key.clone()).take(limit).collect())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        let _at_work = AtWork::begin(&self.0.at_work);
        self.0.attempts.fetch_add(1, SeqCst);
        let is_open = self.0.is_open.load(SeqCst);
        match key {
            "slow" if !is_open => return Ok(Step::Wait),
            "hung" if !is_open => std::future::pending().await,
            "broken" if !is_open => return Err("it is broken".to_owned()),
            _ => {}
        }
        tokio::task::yield_now().await;
        let mut left = self.0.left.lock().unwrap();
        let count = left.get_mut(key).unwrap();
        *count = count.saturating_sub(1);
        if key == "shaky" && *count % 2 == 1 {
            return Err("shaken".into());
        }
        Ok(if *count == 0 { Step::Settled } else { Step::Again })
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn blocked(&self) -> Option<String> {
        self.0.is_blocked.load(SeqCst).then(|| "the outside is away".to_owned())
    }
}

struct Scene {
    countdown: Arc<Countdown>,
    bell: Bell,
    board: Board,
    tasks: Tasks,
}

impl Scene {
    fn with(keys: impl IntoIterator<Item = (String, u32)>, prepare: impl Fn(&Countdown)) -> Self {
        let countdown = Arc::new(Countdown::default());
        countdown.left.lock().unwrap().extend(keys);
        prepare(&countdown);
        let (board, bell) = (Board::default(), Bell::new());
        let mut tasks = Tasks::new(board.clone());
        tasks.reconcile(Shared(countdown.clone()), bell.clone());
        Self { countdown, bell, board, tasks }
    }

    fn of(keys: &[(&str, u32)]) -> Self {
        Self::with(keys.iter().map(|(key, left)| ((*key).to_owned(), *left)), |_| {})
    }

    fn is_done(&self) -> bool {
        self.countdown.left.lock().unwrap().values().all(|left| *left == 0)
    }

    async fn done(&self) {
        until(|| self.is_done()).await;
    }

    fn status(&self) -> crate::Status {
        self.board.read().into_iter().next().unwrap()
    }
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("it did not happen in ten seconds");
}

#[tokio::test]
async fn converges_all_keys_in_spite_of_failures() {
    Scene::of(&[("a", 5), ("shaky", 3), ("b", 1)]).done().await;
}

#[tokio::test]
async fn a_ring_ends_the_wait() {
    let scene = Scene::of(&[("slow", 1)]);
    // Its pause would be longer than the patience of this test.
    until(|| scene.status().pausing.first().is_some_and(|pausing| pausing.tries >= 4)).await;
    scene.countdown.is_open.store(true, SeqCst);
    scene.bell.ring();
    tokio::time::timeout(Duration::from_secs(1), scene.done()).await.unwrap();
}

#[tokio::test]
async fn a_key_that_it_rang_for_needs_no_look_into_the_tables() {
    let scene = Scene::of(&[("unlisted", 3)]);
    until(|| scene.status().looked_at.is_some()).await;
    let reads = scene.countdown.reads.load(SeqCst);
    scene.bell.ring_for(["unlisted"]);
    scene.done().await;
    assert_eq!(scene.countdown.reads.load(SeqCst), reads);
}

#[tokio::test]
async fn a_burst_is_read_once_and_tried_once() {
    let scene = Scene::with((0..5000).map(|number| (format!("{number:05}"), 1)), |_| {});
    scene.done().await;
    until(|| scene.status().looked_at.is_some()).await;
    let (reads, attempts) = (scene.countdown.reads.load(SeqCst), scene.countdown.attempts.load(SeqCst));
    assert!(reads <= 5000 / PAGE + 2, "{reads} reads");
    assert_eq!(attempts, 5000);
}

#[tokio::test]
async fn a_key_that_hangs_is_cut_off_and_comes_again() {
    let scene = Scene::of(&[("hung", 1), ("a", 2)]);
    until(|| scene.status().failing == 1).await;
    assert!(scene.status().last_error.unwrap().error.contains("was cut off"));
    scene.countdown.is_open.store(true, SeqCst);
    scene.done().await;
}

#[tokio::test]
async fn nothing_is_tried_while_all_is_blocked() {
    let scene = Scene::with([("a".to_owned(), 1)], |countdown| countdown.is_blocked.store(true, SeqCst));
    until(|| scene.status().ready == 1).await;
    assert_eq!(scene.status().blocked.as_deref(), Some("the outside is away"));
    scene.bell.ring();
    until(|| scene.countdown.reads.load(SeqCst) > 1).await;
    assert_eq!(scene.countdown.attempts.load(SeqCst), 0);
    scene.countdown.is_blocked.store(false, SeqCst);
    scene.done().await;
}

#[tokio::test]
async fn when_tasks_have_ended_nothing_of_theirs_is_under_way() {
    let scene = Scene::of(&[("hung", 1)]);
    until(|| scene.countdown.at_work.load(SeqCst) == 1).await;
    scene.tasks.end().await;
    assert_eq!(scene.countdown.at_work.load(SeqCst), 0);
    assert!(scene.board.read().is_empty());
}

#[tokio::test]
async fn the_board_says_what_is_under_way_and_what_fails_and_why() {
    let scene = Scene::of(&[("broken", 1), ("hung", 1), ("slow", 1)]);
    until(|| scene.status().pausing_count == 2 && scene.status().under_way_count == 1).await;
    let status = scene.status();
    assert_eq!(status.under_way[0].key, "hung");
    assert!(status.under_way[0].since < status.under_way[0].until);
    let pausing: Vec<_> = status.pausing.iter().map(|pausing| (pausing.key.as_str(), pausing.error.as_deref())).collect();
    assert_eq!(pausing, [("broken", Some("it is broken")), ("slow", None)]);
    assert_eq!(status.failing, 1);
    assert_eq!(status.last_error.unwrap().error, "it is broken");
}
