// SPDX-License-Identifier: Apache-2.0
//! Values mean the same on both engines.

use super::behaviour::insert;
use super::fixture::Fixture;
use crate::{Error, Result, Row, Value, params};

pub(super) async fn values_come_back_as_they_went_in(fixture: Fixture) {
    let row: Row = fixture
        .store
        .write(|tx| {
            tx.query_one(
                "INSERT INTO things (id, project_id, name, size, enabled, data, note) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 RETURNING id, name, size, enabled, data, note, generation, owner_id",
                &params![
                    "ünï' -- \"x\" $1 ?",
                    "p",
                    None::<String>,
                    i64::MIN,
                    false,
                    vec![0_u8, 255, 39],
                    serde_json::json!({"z": 1, "a": ["\u{1F980}"]}),
                ],
            )
        })
        .await
        .unwrap();
    assert_eq!(row.len(), 8);
    assert_eq!(row.get::<String>(0).unwrap(), "ünï' -- \"x\" $1 ?");
    assert_eq!(row.get::<Option<String>>(1).unwrap(), None);
    assert_eq!(row.get::<i64>(2).unwrap(), i64::MIN);
    assert!(!row.get::<bool>(3).unwrap());
    assert_eq!(row.get::<Vec<u8>>(4).unwrap(), [0, 255, 39]);
    #[derive(serde::Deserialize)]
    struct Note {
        a: Vec<String>,
    }
    assert_eq!(row.json::<Note>(5).unwrap().a, ["\u{1F980}"]);
    assert_eq!(row.get::<u32>(6).unwrap(), 1);
    assert!(row.json::<Option<Note>>(7).unwrap().is_none());
}

pub(super) async fn placeholders_bind_by_number(fixture: Fixture) {
    let store = &fixture.store;
    store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    let found = store.read(|tx| {
        // Out of order, one twice, more than nine.
        let sql = "SELECT id FROM things WHERE name = $2 AND id = $1 AND name <> $11 AND id = $1 AND name = $2";
        let mut all = vec![Value::from("x"); 11];
        all[..2].clone_from_slice(&params!["a", "web"]);
        all[10] = Value::from("mail");
        // PostgreSQL must learn the type of those that the statement does not use.
        let used = "SELECT id FROM things WHERE name = $2 AND id = $1 AND id = $1";
        assert_eq!(tx.query(used, &params!["a", "web"])?.len(), 1);
        let spelled = format!("{sql} AND '' || $3 || $4 || $5 || $6 || $7 || $8 || $9 || $10 <> ''");
        tx.query(&spelled, &all)
    });
    assert_eq!(found.await.unwrap().len(), 1);
    let too_few = store.read(|tx| tx.query("SELECT id FROM things WHERE id = $2 AND name = $1", &params!["a"]));
    assert!(too_few.await.is_err());
}

pub(super) async fn sums_are_integers(fixture: Fixture) {
    let sums: (i64, Option<i64>) = fixture
        .store
        .write(|tx| {
            for (id, size) in [("a", -5_i64), ("b", 123_456_789_012_345), ("c", 70_000)] {
                insert(tx, id, id)?;
                tx.execute("UPDATE things SET size = $1 WHERE id = $2", &params![size, id])?;
            }
            let sum = tx.query_one("SELECT sum(size) FROM things WHERE size + $1 < 0 OR size > $1", &params![0])?;
            let none = tx.query_one("SELECT sum(size) FROM things WHERE id = 'x'", &[])?;
            Ok::<_, Error>((sum.get(0)?, none.get(0)?))
        })
        .await
        .unwrap();
    assert_eq!(sums, (123_456_789_082_340, None));
}

pub(super) async fn text_is_compared_byte_by_byte(fixture: Fixture) {
    let store = &fixture.store;
    let order: Result<Vec<String>> = store
        .write(|tx| {
            for name in ["b", "B", "a", "ä", "Z", "_", "10", "9"] {
                insert(tx, name, name)?;
            }
            let rows = tx.query("SELECT name FROM things ORDER BY name", &[])?;
            rows.iter().map(|row| row.get(0)).collect()
        })
        .await;
    assert_eq!(order.unwrap(), ["10", "9", "B", "Z", "_", "a", "b", "ä"]);
    let like = store.read(|tx| tx.query("SELECT 1 FROM things WHERE name LIKE $1", &params!["B%"]));
    assert_eq!(like.await.unwrap().len(), 1, "LIKE distinguishes capitals");
}

pub(super) async fn text_with_nul_is_refused(fixture: Fixture) {
    let written = fixture.store.write(|tx| insert(tx, "a\0b", "web")).await;
    assert!(matches!(written, Err(Error::Constraint { .. })), "{written:?}");
}

pub(super) async fn a_column_of_another_kind_is_an_error(fixture: Fixture) {
    let row = fixture.store.write(|tx| {
        insert(tx, "a", "web")?;
        tx.query_one("SELECT id, size, generation FROM things", &[])
    });
    let row: Row = row.await.unwrap();
    assert!(matches!(row.get::<i64>(0), Err(Error::Column { index: 0, .. })));
    assert!(matches!(row.get::<i64>(1), Err(Error::Column { index: 1, .. })));
    assert!(matches!(row.get::<String>(2), Err(Error::Column { index: 2, .. })));
    assert!(matches!(row.get::<i64>(3), Err(Error::Column { index: 3, .. })));
    let said = row.get::<i64>(0).unwrap_err().to_string();
    assert_eq!(said, "column 0 is text, not integer");
}
