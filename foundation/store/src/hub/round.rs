// SPDX-License-Identifier: Apache-2.0
//! What a reader of the table found, and what becomes of it.

use std::time::Duration;

use super::{Hub, State};
use crate::event::StoredEvent;
use crate::thing::News;

/// How long to gather before reading: what is committed meanwhile is read with it.
pub(crate) const GATHER: Duration = Duration::from_millis(3);

/// How many events one statement reads.
pub(crate) const PAGE: u32 = 1000;

/// Some events above the place from which was read, in the order of their ids.
pub(crate) struct Page {
    /// No event can come any more below this one or at it.
    pub(crate) settled: i64,
    /// There was nothing after these.
    pub(crate) is_last: bool,
    pub(crate) found: Vec<Found>,
}

pub(crate) struct Found {
    pub(crate) news: News,
    /// The event itself, if somebody follows the stream.
    pub(crate) event: Option<StoredEvent>,
}

/// One reading, from the mark to the end.
pub(crate) struct Round {
    began: u64,
    /// Whether the events themselves are to be read.
    pub(crate) whole: bool,
    /// The id above which to read on; none before the first reading, which only finds out where the stream ends.
    pub(crate) after: Option<i64>,
}

impl Hub {
    pub(crate) fn begin_round(&self) -> Round {
        let began = self.clock.now();
        let mut state = self.lock();
        Round { began, whole: state.followers.any(), after: state.mark }
    }

    /// Tells what is new in this page. Answers whether there is more to read.
    pub(crate) fn take_in(&self, round: &mut Round, page: Page) -> bool {
        let mut state = self.lock();
        let State { mark, begun, told, ears, followers } = &mut *state;
        if !std::mem::replace(begun, true) && !self.alone {
            // From before the reader began nobody was told anything.
            ears.tell_all();
        }
        let last = page.found.last().map(|found| found.news.event);
        let from = *mark.get_or_insert(page.settled);
        if !self.alone {
            let unknown = page.found.iter().map(|found| &found.news).filter(|news| news.event > from);
            let unknown: Vec<&News> = unknown.filter(|news| !told.contains(&news.event)).collect();
            ears.tell(&unknown, true);
            told.extend(unknown.iter().map(|news| news.event));
        }
        // Who came to follow while a page without the events themselves was read gets them with the next round.
        if round.whole || !followers.any() {
            let to = if page.is_last { page.settled } else { page.settled.min(last.unwrap_or(from)) };
            let settled = page.found.into_iter().filter(|found| found.news.event > from && found.news.event <= to);
            followers.give(settled.filter_map(|found| found.event), round.whole);
            *mark = Some(from.max(to));
            told.retain(|event| *event > to);
        }
        round.after = last.or(round.after);
        !page.is_last && last.is_some()
    }

    /// All that there was when the round began is told. Answers whether some of it waits for a transaction that runs.
    pub(crate) fn end_round(&self, round: &Round) -> bool {
        let unsettled = match (self.lock().mark, round.after) {
            (Some(mark), Some(after)) => after > mark,
            _ => false,
        };
        self.clock.read(round.began);
        unsettled
    }

    /// Nobody follows: where the stream ends then is found out when somebody does.
    pub(crate) fn rest(&self) {
        let mut state = self.lock();
        if !state.followers.any() {
            state.mark = None;
        }
    }
}
