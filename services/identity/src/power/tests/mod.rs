// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Stories told by chance: people of three domains do to each other whatever the API lets them, and after each deed it is
//! reckoned anew what everybody has. `POWER_SEED` tells one story again; one that goes wrong is told as shortly as can be.

mod arena;
mod deed;
mod random;
mod rules;
mod state;
mod verdict;

use std::time::{Duration, Instant};

use arena::Arena;
use deed::Deed;
use random::Dice;
use state::State;

const STORIES: u64 = 12;
const GIFTS: usize = 45;
const DEEDS: usize = 250;
/// A busy machine tells fewer stories.
const PATIENCE: Duration = Duration::from_secs(20);
/// For telling a bad one more shortly.
const LONGER_PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gains_power_but_from_who_had_it() {
    let asked: Option<u64> = std::env::var("POWER_SEED").ok().and_then(|seed| seed.parse().ok());
    let begun = Instant::now();
    let (mut done, mut tried, mut stories) = (0, 0, 0);
    for seed in asked.map_or(1..=STORIES, |seed| seed..=seed) {
        if begun.elapsed() > PATIENCE && stories > 0 {
            break;
        }
        let mut dice = Dice::new(seed);
        let mut arena = Arena::new().await;
        let mut story: Vec<Deed> = vec![];
        let mut state = arena.state().await;
        for number in 0..GIFTS + DEEDS {
            let deed = if number < GIFTS { dice.gift(number, &state) } else { dice.deed(number, &arena, &state) };
            let Some(deed) = deed else { continue };
            match step(&mut arena, &deed, &state).await {
                Step::Nothing => {}
                Step::Refused => tried += 1,
                Step::Done(after) => {
                    (tried, done, state) = (tried + 1, done + 1, *after);
                    story.push(deed);
                }
                Step::Wrong(_) => {
                    story.push(deed);
                    complain(seed, story.clone()).await;
                }
            }
        }
        stories += 1;
    }
    println!("{tried} requests in {stories} stories, {done} of them granted, in {:?}", begun.elapsed());
    // Else nothing was proved.
    assert!(done * 4 > tried && done > 50, "{done} of {tried}");
}

enum Step {
    /// What it needs is not there.
    Nothing,
    Refused,
    Done(Box<State>),
    Wrong(String),
}

async fn step(arena: &mut Arena, deed: &Deed, before: &State) -> Step {
    let people = arena.people.clone();
    let Some(outcome) = arena.attempt(deed, before).await else { return Step::Nothing };
    if !outcome.status.is_success() {
        return Step::Refused;
    }
    let after = arena.state().await;
    match verdict::find_wrong(deed, before, &people, &after, &arena.people) {
        None => Step::Done(Box::new(after)),
        Some(why) => Step::Wrong(why),
    }
}

/// Tells a story again; what went wrong in it, and by which of its deeds.
async fn tell(story: &[Deed]) -> Option<(usize, String)> {
    let mut arena = Arena::new().await;
    let mut state = arena.state().await;
    for (i, deed) in story.iter().enumerate() {
        match step(&mut arena, deed, &state).await {
            Step::Wrong(why) => return Some((i, why)),
            Step::Done(after) => state = *after,
            Step::Nothing | Step::Refused => {}
        }
    }
    None
}

/// Leaves out of a bad story whatever it is as bad without, and panics with what remains.
async fn complain(seed: u64, mut story: Vec<Deed>) {
    let begun = Instant::now();
    let mut why = tell(&story).await.map_or_else(|| "it went wrong once, and not again".to_owned(), |(_, why)| why);
    let mut size = story.len().div_ceil(2);
    while size > 0 && begun.elapsed() < LONGER_PATIENCE {
        let mut at = 0;
        while at < story.len() && begun.elapsed() < LONGER_PATIENCE {
            let shorter: Vec<Deed> = story.iter().take(at).chain(story.iter().skip(at + size)).cloned().collect();
            match tell(&shorter).await {
                Some((last, still)) => {
                    story = shorter;
                    story.truncate(last + 1);
                    why = still;
                }
                None => at += size,
            }
        }
        size /= 2;
    }
    let lines: Vec<String> =
        story.iter().map(|deed| format!("  {} by {:?} in {:?}: {:?}", deed.who, deed.key, deed.scope, deed.act)).collect();
    panic!("POWER_SEED={seed}: {why}\n{}", lines.join("\n"));
}
