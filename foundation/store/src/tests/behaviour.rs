// SPDX-License-Identifier: Apache-2.0
//! What a room relies on, whichever engine is underneath.

use super::fixture::Fixture;
use crate::{Error, Result, Tx, params};

pub(super) async fn what_is_committed_is_seen_and_survives_reopening(fixture: Fixture) {
    fixture.store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    assert_eq!(names(&fixture).await, ["web"]);
    let reopened = fixture.reopen().await;
    assert_eq!(names(&reopened).await, ["web"]);
}

pub(super) async fn an_error_leaves_nothing_behind(fixture: Fixture) {
    let failed: Result<()> = fixture
        .store
        .write(|tx| {
            insert(tx, "a", "web")?;
            Err(Error::Conflict)
        })
        .await;
    assert!(matches!(failed, Err(Error::Conflict)), "{failed:?}");
    assert!(names(&fixture).await.is_empty());
}

pub(super) fn insert(tx: &mut Tx, id: &str, name: &str) -> Result<()> {
    let sql = "INSERT INTO things (id, project_id, name) VALUES ($1, 'p', $2)";
    tx.execute(sql, &params![id, name]).map(drop)
}

pub(super) async fn names(fixture: &Fixture) -> Vec<String> {
    let sql = "SELECT name FROM things ORDER BY id";
    let read = fixture.store.read(move |tx| {
        let rows = tx.query(sql, &[])?;
        rows.iter().map(|row| row.get(0)).collect::<Result<_>>()
    });
    read.await.unwrap()
}
