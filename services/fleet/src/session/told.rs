// SPDX-License-Identifier: Apache-2.0
//! What a session has told its node of each thing, kept as a hash, and what it has heard of it: so which lines are still to be
//! said, what follows from a report, and what of it is news.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hasher},
    io,
    time::Duration,
};

use contracts::{
    node::{Found, Held, MachineObserved, MachineState, Observed, Thing, ThingId},
    nodes::Report,
};
use serde::Serialize;
use tokio::time::Instant;

/// A room is told what it knows already now and then: it may have looked away when it was told.
const EVERYTHING_EVERY: Duration = Duration::from_secs(600);

/// Two of one thing differ, but for a chance that no cloud will see; whoever chooses them gains nothing.
type Mark = u64;

/// Heard of what is not there.
const ABSENT: Mark = 0;

/// Of a node's strays no more than these are listed.
const STRAYS: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Told {
    /// Of the latest line.
    seq: u64,
    things: HashMap<ThingId, Entry>,
    heard: HashMap<ThingId, Mark>,
    heard_everything_at: Option<Instant>,
    /// The report that was taken in last, if it was a complete one, and the latest line then.
    report: Option<(Mark, u64)>,
}

#[derive(Debug)]
struct Entry {
    mark: Mark,
    /// Of the line that said it.
    seq: u64,
    released: bool,
}

/// What is to be passed on of a report, and how to note that it was.
#[derive(Debug, Default)]
pub(super) struct News {
    pub report: Report,
    /// Things that nobody spoke of to the node. Said by a complete report only.
    pub strays: Option<Vec<ThingId>>,
    marks: Vec<(ThingId, Mark)>,
    /// The latest line when it was looked at.
    seq: u64,
    complete: bool,
    everything: bool,
}

impl Told {
    /// Notes that the whole of this is said; answers the number of the line that says it.
    pub fn everything(&mut self, things: &[Thing]) -> u64 {
        self.seq += 1;
        let seq = self.seq;
        self.report = None;
        self.things = things.iter().map(|thing| (thing.id.clone(), Entry::of(thing, seq))).collect();
        self.heard.clear();
        seq
    }

    /// Of what is wanted now, read whole, the things that were not told so, noted as told. Of a thing that is spoken of no more
    /// nothing is said: only what is released goes.
    pub fn differences(&mut self, things: Vec<Thing>) -> Option<(u64, Vec<Thing>)> {
        let named: HashSet<ThingId> = things.iter().map(|thing| thing.id.clone()).collect();
        self.things.retain(|id, _| named.contains(id));
        self.report = None;
        self.changes(&[], things)
    }

    /// The same, of what was read of these things only.
    pub fn changes(&mut self, looked_at: &[ThingId], things: Vec<Thing>) -> Option<(u64, Vec<Thing>)> {
        let seq = self.seq + 1;
        let named: HashSet<&ThingId> = things.iter().map(|thing| &thing.id).collect();
        for id in looked_at.iter().filter(|id| !named.contains(id)) {
            self.things.remove(id);
            self.report = None;
        }
        let mut news = Vec::new();
        for thing in things {
            let entry = Entry::of(&thing, seq);
            if self.things.get(&thing.id).is_none_or(|told| told.mark != entry.mark) {
                self.things.insert(thing.id.clone(), entry);
                // Whatever is found of it from now on is an answer to this.
                self.heard.remove(&thing.id);
                news.push(thing);
            }
        }
        if news.is_empty() {
            return None;
        }
        self.seq = seq;
        Some((seq, news))
    }

    /// What the node has, and was told nothing of.
    pub fn strays(&self, holds: &[Held]) -> Vec<ThingId> {
        holds.iter().filter(|held| !self.things.contains_key(&held.id)).map(|held| held.id.clone()).take(STRAYS).collect()
    }

    /// Whether this report is, to the letter, the one that was taken in last, and means the same: nothing was told since. Most of
    /// what hosts at rest say is known by that, and not read.
    pub fn has_taken(&self, report: &[u8]) -> bool {
        self.report == Some((mark_of(report), self.seq)) && !self.is_everything_due()
    }

    fn is_everything_due(&self) -> bool {
        self.heard_everything_at.is_none_or(|at| at.elapsed() >= EVERYTHING_EVERY)
    }

    /// What a report says that was not heard before, and what follows from it.
    ///
    /// Invariant: that a report does not list a thing says nothing if the thing was told after the node had looked (test:
    /// `a_report_says_nothing_of_what_was_told_after_it`).
    pub fn news(&self, observed: Observed) -> News {
        let (complete, everything) = (observed.complete, observed.complete && self.is_everything_due());
        let mut news = News { seq: self.seq, complete, everything, ..News::default() };
        if observed.complete {
            let listed: HashSet<ThingId> = observed.things.iter().map(Found::id).collect();
            let absent = self.things.iter().filter(|(id, told)| told.seq <= observed.as_of && !listed.contains(*id));
            let unheard = absent.map(|(id, _)| id).filter(|id| everything || self.heard.get(*id) != Some(&ABSENT));
            news.report.absent = unheard.cloned().collect();
            news.marks.extend(news.report.absent.iter().map(|id| (id.clone(), ABSENT)));
            let mut strays: Vec<ThingId> = listed.into_iter().filter(|id| !self.things.contains_key(id)).collect();
            strays.sort();
            strays.truncate(STRAYS);
            news.strays = Some(strays);
        }
        for found in observed.things {
            let (id, mark) = (found.id(), mark_of_found(&found));
            if everything || self.heard.get(&id) != Some(&mark) {
                news.marks.push((id, mark));
                news.report.found.push(found);
            }
        }
        news
    }

    /// The rooms have taken in this report, and what it says.
    pub fn note(&mut self, report: &[u8], news: News) {
        self.report = news.complete.then(|| (mark_of(report), news.seq));
        let gone: Vec<ThingId> = news.report.found.iter().filter(|found| found.is_gone()).map(Found::id).collect();
        for (id, mark) in news.marks {
            match self.things.get(&id) {
                // Something else was wanted meanwhile: what is found from then on is an answer to that.
                Some(told) if told.seq > news.seq => {}
                Some(_) => drop(self.heard.insert(id, mark)),
                // However much a node makes up, nothing of it is kept here.
                None => {}
            }
        }
        for id in gone {
            // Its rooms need not say it any more; if they do, it is told anew.
            if self.things.get(&id).is_some_and(|told| told.released && told.seq <= news.seq) {
                self.things.remove(&id);
                self.heard.remove(&id);
            }
        }
        if news.everything {
            self.heard_everything_at = Some(Instant::now());
        }
    }
}

impl Entry {
    fn of(thing: &Thing, seq: u64) -> Self {
        Self { mark: mark(thing), seq, released: thing.is_released() }
    }
}

impl News {
    pub fn is_empty(&self) -> bool {
        self.report.found.is_empty() && self.report.absent.is_empty()
    }
}

fn mark_of(report: &[u8]) -> Mark {
    let mut marking = DefaultHasher::new();
    marking.write(report);
    marking.finish()
}

/// How far a machine has come that is being made is for who reads its host's log: the rooms know no steps.
fn mark_of_found(found: &Found) -> Mark {
    match found {
        Found::Machine(machine) if matches!(machine.state, MachineState::Preparing { .. }) => {
            mark(&MachineObserved { state: MachineState::Preparing { step: String::new() }, ..machine.clone() })
        }
        found => mark(found),
    }
}

fn mark(said: &impl Serialize) -> Mark {
    let mut marking = Marking(DefaultHasher::new());
    // What is said to a node can be written as JSON, or it could not be said.
    let _ = serde_json::to_writer(&mut marking, said);
    marking.0.finish()
}

struct Marking(DefaultHasher);

impl io::Write for Marking {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.write(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use types::Generation;

    use super::*;

    fn id(id: &str) -> ThingId {
        ThingId::machine(&id.into())
    }

    fn thing(name: &str, generation: i64) -> Thing {
        let json = serde_json::json!({
            "server_id": name, "generation": generation, "project_id": "p", "power": "running", "reboots": 0, "reboot": "soft",
            "vcpus": 1, "memory_mb": 1, "devices": [],
            "metadata": {
                "hostname": "", "name": "", "availability_zone": "", "launch_index": 0, "flavor": "", "public_keys": {},
                "meta": {}, "user_data": null, "admin_password": null, "floating_ips": [], "reservation_id": "",
                "security_groups": [],
            },
        });
        Thing::machine(serde_json::from_value(json).unwrap())
    }

    fn released(name: &str) -> Thing {
        Thing::released(id(name), Generation(9))
    }

    fn found(name: &str, state: MachineState) -> Found {
        Found::Machine(MachineObserved {
            server_id: name.into(),
            generation: Generation(1),
            reboots: 0,
            state,
            snapshot: None,
            devices: vec![],
        })
    }

    fn complete(as_of: u64, things: &[Found]) -> Observed {
        Observed { as_of, complete: true, things: things.to_vec() }
    }

    #[test]
    fn only_what_differs_is_said() {
        let (first, second, third) = (thing("a", 1), thing("b", 1), thing("c", 1));
        let mut told = Told::default();
        assert_eq!(told.everything(&[first.clone(), second.clone()]), 1);
        assert_eq!(told.differences(vec![first, second]), None);
        let newer = thing("a", 2);
        let all = vec![newer.clone(), released("b"), third.clone()];
        assert_eq!(told.differences(all.clone()), Some((2, all.clone())));
        assert_eq!(told.differences(all), None);
        // Wanted again, as after the same name was restored.
        assert_eq!(told.changes(&[id("b")], vec![thing("b", 1)]), Some((3, vec![thing("b", 1)])));
        assert_eq!(told.changes(&[id("a"), id("c")], vec![newer, third]), None);
    }

    #[test]
    fn a_thing_that_is_spoken_of_no_more_is_not_released() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1), thing("b", 1)]);
        assert_eq!(told.changes(&[id("a")], vec![]), None);
        assert_eq!(told.differences(vec![]), None);
        assert_eq!(told.news(complete(1, &[])).report, Report::default());
    }

    #[test]
    fn a_report_says_nothing_of_what_was_told_after_it() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1)]);
        told.changes(&[id("b")], vec![thing("b", 1)]);
        let absent = |told: &Told, as_of| told.news(complete(as_of, &[found("a", MachineState::Running)])).report.absent;
        assert_eq!(absent(&told, 1), []);
        assert_eq!(absent(&told, 2), [id("b")]);
        // Released since: whether it is gone is for a later report to say.
        told.changes(&[id("b")], vec![released("b")]);
        assert_eq!(absent(&told, 2), []);
        assert_eq!(absent(&told, 3), [id("b")]);
        // What only tells of changes tells of nothing else.
        let partly = Observed { complete: false, ..complete(3, &[]) };
        assert_eq!(told.news(partly).report.absent, []);
    }

    #[tokio::test]
    async fn what_was_heard_before_is_no_news_until_something_else_is_wanted() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1), thing("b", 1)]);
        let report = || complete(1, &[found("a", MachineState::Running), found("b", MachineState::Running)]);
        let first = told.news(report());
        assert_eq!(first.report.found.len(), 2);
        // It is not noted, so it is said again: the rooms had no ear.
        let again = told.news(report());
        assert_eq!(again.report.found.len(), 2);
        told.note(b"", again);
        assert!(told.news(report()).is_empty());
        told.changes(&[id("b")], vec![thing("b", 2)]);
        assert_eq!(told.news(report()).report.found, [found("b", MachineState::Running)]);
    }

    #[tokio::test]
    async fn a_report_to_the_letter_as_the_last_one_is_known_until_something_is_told_or_said_in_between() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1), thing("b", 1)]);
        let take = |told: &mut Told, report: &[u8], complete| {
            let observed = Observed { complete, ..complete_report(told.seq) };
            let news = told.news(observed);
            told.note(report, news);
        };
        take(&mut told, b"one", true);
        assert!(told.has_taken(b"one") && !told.has_taken(b"other"));
        // The same words mean something else now.
        told.changes(&[id("b")], vec![thing("b", 2)]);
        assert!(!told.has_taken(b"one"));
        take(&mut told, b"one", true);
        told.changes(&[id("b")], vec![]);
        assert!(!told.has_taken(b"one"), "it speaks of a stray now");
        take(&mut told, b"one", true);
        take(&mut told, b"a change", false);
        assert!(!told.has_taken(b"one") && !told.has_taken(b"a change"));
    }

    #[tokio::test]
    async fn the_steps_of_a_machine_that_is_being_made_are_no_news() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1)]);
        let preparing = |step: &str| found("a", MachineState::Preparing { step: step.to_owned() });
        let report = |found| Observed { complete: false, ..complete(1, &[found]) };
        let first = told.news(report(preparing("image")));
        assert!(!first.is_empty());
        told.note(b"", first);
        assert!(told.news(report(preparing("disk"))).is_empty());
        assert!(!told.news(report(found("a", MachineState::Running))).is_empty());
    }

    fn complete_report(as_of: u64) -> Observed {
        complete(as_of, &[found("a", MachineState::Running), found("b", MachineState::Running)])
    }

    #[tokio::test]
    async fn what_is_gone_is_heard_once() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1), released("b"), released("c")]);
        let first = told.news(complete(1, &[found("b", MachineState::Gone)]));
        assert_eq!((first.report.found.len(), first.report.absent.len()), (1, 2));
        told.note(b"", first);
        // The node has forgotten it, and so have we.
        assert!(told.news(complete(1, &[])).is_empty());
        assert_eq!(told.changes(&[id("b")], vec![released("b")]), Some((2, vec![released("b")])));
        assert_eq!(told.news(complete(2, &[])).report.absent, [id("b")]);
    }

    #[tokio::test]
    async fn what_a_node_makes_up_is_not_kept() {
        let mut told = Told::default();
        told.everything(&[]);
        let news = told.news(complete(1, &[found("x", MachineState::Running)]));
        told.note(b"", news);
        assert!(told.heard.is_empty());
    }

    #[test]
    fn what_the_node_has_and_was_told_nothing_of_is_a_stray() {
        let mut told = Told::default();
        told.everything(&[thing("a", 1)]);
        let held = |name: &str| Held { id: id(name), generation: Generation(1) };
        assert_eq!(told.strays(&[held("a"), held("x")]), [id("x")]);
        let news = told.news(complete(1, &[found("a", MachineState::Running), found("x", MachineState::Running)]));
        assert_eq!(news.strays, Some(vec![id("x")]));
    }
}
