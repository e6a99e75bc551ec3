// SPDX-License-Identifier: Apache-2.0
//! `GET /volumes/summary`: how many there are, and how large.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use api::{Cx, Reply};
use http::StatusCode;
use serde_json::json;
use store::Select;

use crate::{BlockStorage, error::Result, query, versions::at_least};

/// Of so many volumes the metadata is told.
const MOST: u32 = 10_000;

pub(super) async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let Some(allowed) = query::reach(&cx, cx.allowed()?)? else {
        return api::json(StatusCode::OK, &json!({"volume-summary": {"total_size": 0, "total_count": 0}}));
    };
    let select = query::within(Select::new("volumes", "id, size, metadata").limit(MOST), &allowed);
    let (size, count, metadata) = room
        .store
        .list(move |tx| -> Result<_> {
            let (mut size, mut metadata) = (0i64, BTreeMap::<String, BTreeSet<String>>::new());
            let rows = select.rows(tx)?;
            for row in &rows {
                size += row.get::<i64>(1)?;
                for (key, value) in row.json::<BTreeMap<String, String>>(2)? {
                    metadata.entry(key).or_default().insert(value);
                }
            }
            Ok((size, select.count(tx)?, metadata))
        })
        .await?;
    let mut summary = json!({"total_size": size, "total_count": count});
    if at_least(cx.version, 36) {
        summary["metadata"] = json!(metadata);
    }
    api::json(StatusCode::OK, &json!({"volume-summary": summary}))
}
