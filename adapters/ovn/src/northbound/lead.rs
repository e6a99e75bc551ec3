// SPDX-License-Identifier: Apache-2.0
//! Keeps writers whose lead is over out of the database itself: the generation of the lead stands in it, and every
//! transaction of a writer that is bound to a lead takes effect only while his is the highest that was seen there.
//!
//! The generations of rows do not do this alone: a row that was deleted leaves none, and a writer that was asleep when
//! that happened would bring it back.

use std::collections::BTreeMap;

use crate::ovsdb::{Datum, Replica, Row, Select, Transaction};
use crate::{Error, Result};

/// In the external ids of the one row of settings.
const LEAD: &str = "ferrostack-lead";
const TABLE: &str = "NB_Global";

/// What must go before all else in a transaction of this lead. It is empty only where the transaction may be.
pub(super) struct Fence {
    pub(super) guard: Transaction,
    /// This lead is not known to the database yet: a transaction is worth sending for that alone.
    pub(super) is_news: bool,
}

impl Fence {
    pub(super) fn of(replica: &Replica, lead: u64) -> Result<Self> {
        let mut guard = Transaction::new();
        let mark = Datum::map(&BTreeMap::from([(LEAD.to_owned(), lead.to_string())]));
        let Some((uuid, row)) = replica.singleton(TABLE) else {
            guard.require_none(TABLE, Select::all());
            guard.insert(TABLE, &Row::new().with("external_ids", mark));
            return Ok(Self { guard, is_news: true });
        };
        let found = row.entry("external_ids", LEAD).and_then(|text| text.parse().ok()).unwrap_or(0);
        if found > lead {
            return Err(Error::Led { ours: lead, theirs: found });
        }
        guard.require(TABLE, uuid, "external_ids", row.get("external_ids"));
        let is_news = found < lead;
        if is_news {
            guard.put(TABLE, Select::row(uuid), "external_ids", &mark);
        }
        Ok(Self { guard, is_news })
    }
}
