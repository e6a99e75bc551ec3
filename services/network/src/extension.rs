// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/extensions`: what this cloud does beyond the core of the API, and nothing that it does not.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use serde::Serialize;

use crate::{Error, Room, listing};

pub(crate) const DRAWER: crate::Drawer =
    api::Drawer::new("extension", routes).with(crate::Own { extensions: OF_ALL, ..crate::Own::NOTHING });

pub fn routes() -> Routes<Room> {
    Routes::new().get("/v2.0/extensions", Access::Authenticated, list).get(
        "/v2.0/extensions/{alias}",
        Access::Authenticated,
        show,
    )
}

/// Alias, name, and what it means here; each stands with the drawer that has it.
pub type Extension = (&'static str, &'static str, &'static str);

/// What is so of all things, whichever drawer they are of.
const OF_ALL: &[Extension] = &[
    ("empty-string-filtering", "Empty String Filtering", "Lists can be filtered by an empty value."),
    ("filter-validation", "Filter validation", "A list request with an unknown filter is refused."),
    ("pagination", "Pagination", "Lists come in pages."),
    ("project-id", "project_id", "Things name their project as project_id."),
    ("revision-if-match", "If-Match", "A write can demand the revision it was made for."),
    ("sorting", "Sorting", "Lists can be sorted."),
    ("standard-attr-description", "Descriptions", "Things have a description."),
    ("standard-attr-revisions", "Revisions", "Things count their changes; a write can demand a revision (If-Match)."),
    ("standard-attr-tag", "Tags", "Things can be tagged, and found by their tags."),
    ("standard-attr-timestamp", "Timestamps", "Things say when they were made and changed."),
];

#[derive(Serialize)]
struct View {
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
    links: [(); 0],
}

/// Of all drawers, by their aliases.
fn all() -> Vec<Extension> {
    let mut all: Vec<Extension> = crate::ROOM.drawers.iter().flat_map(|drawer| drawer.more.extensions).copied().collect();
    all.sort_unstable();
    all
}

async fn list(_room: Arc<Room>, cx: Cx) -> Reply {
    let views: Vec<View> = all().into_iter().map(view).collect();
    listing::one(&cx, StatusCode::OK, "extensions", &views)
}

async fn show(_room: Arc<Room>, cx: Cx) -> Reply {
    let alias = cx.param("alias");
    let found = all().into_iter().find(|(known, _, _)| *known == alias);
    let found = found.ok_or_else(|| Error::ExtensionNotFound { alias: alias.to_owned() })?;
    listing::one(&cx, StatusCode::OK, "extension", &view(found))
}

fn view((alias, name, description): Extension) -> View {
    View { alias, name, description, updated: "2026-11-01T00:00:00-00:00", links: [] }
}
