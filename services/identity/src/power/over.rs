// SPDX-License-Identifier: Apache-2.0
//! Power as a value: who holds an [`Over`] had the power for what it is about.

use crate::error::{Error, Result};

/// The cloud itself, where what changes is everybody's: what a role means, who vouches for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cloud;

/// The proof that whoever asks has power over its subject. Only a [`Wielder`](super::Wielder) makes one, and
/// [`Over::for_work`] for what this program does by itself.
#[derive(Debug, Clone)]
pub struct Over<T> {
    subject: T,
    is_the_clouds: bool,
}

impl<T> Over<T> {
    pub(super) fn new(subject: T, is_the_clouds: bool) -> Self {
        Self { subject, is_the_clouds }
    }

    /// For what nobody asks for: the first start, and what an administrator laid down in a mapping. The name tells a
    /// reader which.
    pub fn for_work(_name: &'static str, subject: T) -> Self {
        Self::new(subject, true)
    }

    pub fn subject(&self) -> &T {
        &self.subject
    }

    /// Refuses what the power was not found for: a change that was allowed for one thing is not made to another.
    pub fn is_of(&self, thing: &T) -> Result<()>
    where
        T: PartialEq,
    {
        if self.subject == *thing { Ok(()) } else { Err(Error::Forbidden("The power is over another thing.".to_owned())) }
    }

    /// Whether the power that was found is over everything, and so over whatever else the change needs.
    pub fn is_the_clouds(&self) -> bool {
        self.is_the_clouds
    }

    /// The same power over something that stands or falls with the subject.
    pub fn with<U>(&self, subject: U) -> Over<U> {
        Over { subject, is_the_clouds: self.is_the_clouds }
    }
}
