// SPDX-License-Identifier: Apache-2.0
//! What changed, by the keys that the owner of rows put into them: for those who look again only at what was touched.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// A row that carries a key came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) key: Arc<str>,
    pub(crate) table: Arc<str>,
    /// What changed of it; none if it came or went.
    pub(crate) column: Option<Arc<str>>,
}

/// What a follower is told of.
#[derive(Clone, Copy)]
pub(crate) struct Interest {
    /// Whether a change of this column of this table matters; none stands for the row itself.
    pub(crate) in_column: fn(table: &str, column: Option<&str>) -> bool,
    /// The name under which he knows a key; none if it is nothing of his.
    pub(crate) name: fn(key: &str) -> Option<&str>,
    /// Whether what was confirmed to be as it should is no news to him.
    pub(crate) doubts: bool,
}

/// Hears which keys were touched. Those of many changes are heard once.
pub struct Follower {
    following: Arc<Following>,
}

/// What was touched since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Everything may be other than it was.
    All,
    These(BTreeSet<String>),
}

struct Following {
    interest: Interest,
    touched: Mutex<Touched>,
    notify: Notify,
}

#[derive(Default)]
pub(crate) struct Followers(Mutex<Vec<Weak<Following>>>);

impl Follower {
    /// Returns when something was touched since the last [`take`](Self::take); safe to drop half-way.
    pub async fn changed(&self) {
        loop {
            let notified = self.following.notify.notified();
            if *self.following.lock() != Touched::none() {
                return;
            }
            notified.await;
        }
    }

    pub fn take(&self) -> Touched {
        std::mem::replace(&mut *self.following.lock(), Touched::none())
    }
}

impl Touched {
    fn none() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Followers {
    /// The first look is at everything.
    pub(crate) fn add(&self, interest: Interest) -> Follower {
        let following = Arc::new(Following { interest, touched: Mutex::new(Touched::All), notify: Notify::new() });
        let mut list = self.lock();
        list.retain(|known| known.strong_count() > 0);
        list.push(Arc::downgrade(&following));
        Follower { following }
    }

    pub(crate) fn are_there(&self) -> bool {
        self.lock().iter().any(|known| known.strong_count() > 0)
    }

    pub(crate) fn doubt(&self) -> bool {
        self.lock().iter().filter_map(Weak::upgrade).any(|following| following.interest.doubts)
    }

    pub(crate) fn tell(&self, touches: &[Touch]) {
        for following in self.lock().iter().filter_map(Weak::upgrade) {
            let Interest { in_column, name, .. } = following.interest;
            let of_interest = touches.iter().filter(|touch| in_column(&touch.table, touch.column.as_deref()));
            following.touch(of_interest.filter_map(|touch| name(&touch.key)));
        }
    }

    /// These were found to be as they should be, or not to be so. No change comes in between: the replica is held meanwhile.
    pub(crate) fn confirm<'a>(&self, names: impl Iterator<Item = &'a str> + Clone, as_should_be: bool) {
        for following in self.lock().iter().filter_map(Weak::upgrade).filter(|following| following.interest.doubts) {
            if !as_should_be {
                following.touch(names.clone());
            } else if let Touched::These(touched) = &mut *following.lock() {
                names.clone().for_each(|name| {
                    touched.remove(name);
                });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Following>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    fn touch<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut any = false;
        if let Touched::These(touched) = &mut *self.lock() {
            for name in names {
                if !touched.contains(name) {
                    touched.insert(name.to_owned());
                }
                any = true;
            }
        }
        if any {
            self.notify.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
