// SPDX-License-Identifier: Apache-2.0
//! What an event says to those who only want to know that something is another now.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// A thing of which a committed transaction recorded an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thing {
    pub kind: Cow<'static, str>,
    pub id: Arc<str>,
}

/// Of what there were events since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    These(HashSet<Thing>),
    /// It is not known of what, or of more than is remembered one by one: look at all.
    All,
}

/// An event in short.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// Its place in the stream.
    pub(crate) event: i64,
    pub(crate) thing: Thing,
}

impl Touched {
    /// The things of this kind; none if it is not known which.
    pub fn ids<Id: for<'a> From<&'a str>>(&self, kind: &str) -> Option<Vec<Id>> {
        match self {
            Self::All => None,
            Self::These(things) => {
                Some(things.iter().filter(|thing| thing.kind == kind).map(|thing| Id::from(&thing.id)).collect())
            }
        }
    }

    /// Whether one of this kind may be among them.
    pub fn has(&self, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(things) => things.iter().any(|thing| thing.kind == kind),
        }
    }
}

impl Thing {
    pub fn new(kind: &'static str, id: &str) -> Self {
        Self { kind: Cow::Borrowed(kind), id: Arc::from(id) }
    }
}
