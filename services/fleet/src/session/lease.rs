// SPDX-License-Identifier: Apache-2.0
//! For how long a node that is not heard of may go on with what is exclusively its.
//!
//! A lease begins when this controller last knew for sure that it had the lead, however late it is said. So one that slept and
//! lost the lead meanwhile grants nothing that the next one does not reckon with.

use std::time::Duration;

use contracts::node::Lease;
use tokio::time::Instant;

/// A node finds the next controller within a few seconds; a fence is for one that finds none.
pub(crate) const LENGTH: Duration = Duration::from_secs(30);

/// The lease of a session that began then, by a lead that was certain then.
pub(super) fn grant(session_began: Instant, lead_was_certain: Instant) -> Lease {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Lease { at_ms: millis(lead_was_certain.saturating_duration_since(session_began)), for_ms: millis(LENGTH) }
}
