// SPDX-License-Identifier: Apache-2.0
//! The users that storage daemons run as: the last of the range that machines have their users from.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
};

use qemu::{RunAs, RunDir};

const RANGE: u32 = 1 << 16;
pub(super) const DAEMONS: u32 = 1 << 12;

#[derive(Clone)]
pub(super) struct Users {
    first: u32,
    taken: Arc<Mutex<HashSet<u32>>>,
}

/// It is free again when this is dropped.
pub(super) struct User {
    uid: u32,
    users: Users,
}

impl Users {
    pub fn new(first_of_machines: u32) -> Self {
        Self { first: first_of_machines.saturating_add(RANGE - DAEMONS), taken: Arc::default() }
    }

    /// That of the daemon that runs there, if one may; else one that nobody has.
    pub fn of(&self, run_dir: &RunDir) -> User {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let was = fs::metadata(run_dir.path().join("own")).ok().map(|own| own.uid());
        let was = was.filter(|uid| (self.first..self.first.saturating_add(DAEMONS)).contains(uid) && !taken.contains(uid));
        let uid = was.or_else(|| (self.first..).find(|uid| !taken.contains(uid))).unwrap_or(self.first);
        taken.insert(uid);
        User { uid, users: self.clone() }
    }
}

impl User {
    pub fn run_as(&self) -> RunAs {
        RunAs { uid: self.uid, gid: self.uid }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.users.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.uid);
    }
}
