// SPDX-License-Identifier: Apache-2.0
//! The links that Cinder puts into its answers: with the project, as it always did.

use api::{Cx, Paging};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Link {
    href: String,
    rel: &'static str,
}

/// `self` with the version in its path and `bookmark` without, for a thing such as `volumes/<id>`.
pub(crate) fn links(cx: &Cx, collection: &str, id: &str) -> [Link; 2] {
    let project =
        cx.known_caller().and_then(|caller| caller.project_id()).map(|project| format!("{project}/")).unwrap_or_default();
    [
        Link { href: cx.url(&format!("/v3/{project}{collection}/{id}")), rel: "self" },
        Link { href: cx.url(&format!("/{project}{collection}/{id}")), rel: "bookmark" },
    ]
}

/// `volumes_links` and its like: there only if the page is full.
pub(crate) fn next(cx: &Cx, paging: &Paging, rows: usize, last: Option<&str>) -> Option<Vec<Link>> {
    paging.next_link(cx, rows, last).map(|href| vec![Link { href, rel: "next" }])
}
