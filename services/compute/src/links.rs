// SPDX-License-Identifier: Apache-2.0
//! The links that Nova puts into its answers.

use api::{Cx, Paging};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Link {
    href: String,
    rel: &'static str,
}

/// `self` with the version in its path and `bookmark` without, for a thing such as `servers/<id>`.
pub(crate) fn links(cx: &Cx, collection: &str, id: &str) -> [Link; 2] {
    let href = cx.url(&format!("/v2.1/{collection}/{id}"));
    [Link { href, rel: "self" }, bookmark(cx, collection, id)]
}

pub(crate) fn bookmark(cx: &Cx, collection: &str, id: &str) -> Link {
    Link { href: cx.url(&format!("/{collection}/{id}")), rel: "bookmark" }
}

/// `servers_links` and its like: there only if the page is full, as Nova has it.
pub(crate) fn next(cx: &Cx, paging: &Paging, rows: usize, last: Option<&str>) -> Option<Vec<Link>> {
    paging.next_link(cx, rows, last).map(|href| vec![Link { href, rel: "next" }])
}
