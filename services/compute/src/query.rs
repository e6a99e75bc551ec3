// SPDX-License-Identifier: Apache-2.0
//! Query strings of lists: paging, and the strictness that came with 2.75.

use api::{Cx, Fault, Paging};
use store::Select;

use crate::input::Read;

const PAGING: [&str; 4] = ["limit", "marker", "sort_key", "sort_dir"];

/// Refuses parameters other than these and those of paging.
pub(crate) fn only(cx: &Cx, known: &[&str]) -> Read<()> {
    match cx.query().pairs().find(|(name, _)| !known.contains(name) && !PAGING.contains(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Fault::bad_request(format!(
            "Invalid input for query parameters {name}. Additional properties are not allowed ('{name}' was unexpected)."
        ))),
    }
}

pub(crate) fn page(mut select: Select, paging: &Paging) -> Select {
    if let Some(marker) = &paging.marker {
        select = select.after(marker.as_str());
    }
    if let Some(limit) = paging.limit {
        select = select.limit(u32::try_from(limit).unwrap_or(u32::MAX));
    }
    select
}
