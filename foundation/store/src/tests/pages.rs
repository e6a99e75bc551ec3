// SPDX-License-Identifier: Apache-2.0
//! Keyset pages: complete, in order, at a constant price.

use std::collections::BTreeSet;

use super::behaviour::insert;
use super::fixture::Fixture;
use crate::Direction::{Asc, Desc};
use crate::{Direction, Error, Result, Select, Store, params};

const ORDERS: [&[(&str, Direction)]; 9] = [
    &[],
    &[("id", Desc)],
    &[("size", Asc)],
    &[("size", Desc)],
    &[("created_at", Desc)],
    &[("created_at", Desc), ("size", Asc)],
    &[("size", Desc), ("name", Asc), ("created_at", Desc)],
    &[("name", Desc), ("size", Desc)],
    &[("created_at", Asc), ("id", Desc), ("size", Asc)],
];

pub(super) async fn pages_are_complete_under_concurrent_inserts(fixture: Fixture) {
    let store = &fixture.store;
    fill(store, "old", 60).await;
    for order in ORDERS {
        let newcomers = {
            let (store, order) = (store.clone(), format!("{order:?}"));
            tokio::spawn(async move {
                for number in 0..15 {
                    fill(&store, &format!("new {order} {number}"), 1).await;
                }
            })
        };
        let mut seen = Vec::new();
        let mut marker = None;
        loop {
            let page = page(store, order, marker, 7).await;
            let Some(last) = page.last().cloned() else { break };
            seen.extend(page);
            marker = Some(last);
        }
        newcomers.await.unwrap();
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "repeated in order {order:?}");
        let old = seen.iter().filter(|id| id.starts_with("old")).count();
        assert_eq!(old, 60, "skipped in order {order:?}");
    }
}

pub(super) async fn pages_agree_with_the_whole_list_in_every_order(fixture: Fixture) {
    let store = &fixture.store;
    fill(store, "row", 40).await;
    for order in ORDERS {
        let whole = page(store, order, None, 1000).await;
        assert_eq!(whole.len(), 40);
        // NULL is the smallest value, whichever the engine.
        if let Some((column @ ("size" | "name"), direction)) = order.first() {
            let ends = nulls(store, column).await;
            assert!(!ends.is_empty() && ends.len() < 40);
            let place = match direction {
                Asc => &whole[..ends.len()],
                Desc => &whole[40 - ends.len()..],
            };
            assert_eq!(place.iter().cloned().collect::<BTreeSet<_>>(), ends);
        }
        for (place, marker) in whole.iter().enumerate() {
            let rest = page(store, order, Some(marker.clone()), 1000).await;
            assert_eq!(rest, whole[place + 1..], "order {order:?} after {marker}");
        }
    }
}

pub(super) async fn a_page_is_one_statement(fixture: Fixture) {
    let store = &fixture.store;
    fill(store, "row", 20).await;
    let before = store.statements();
    page(store, &[("size", Asc)], Some("row-05".to_owned()), 5).await;
    assert_eq!(store.statements() - before, 1);
    let count = store.list(|tx| select().filter("created_at < ", 2).count(tx));
    assert_eq!(count.await.unwrap(), 8);
    assert_eq!(store.statements() - before, 2);
}

pub(super) async fn a_marker_of_another_project_is_unknown(fixture: Fixture) {
    let store = &fixture.store;
    fill(store, "row", 5).await;
    let ids = |project: &'static str, marker: &'static str| async move {
        let list = store.list(move |tx| select().scope("project_id = ", project).after(marker).rows(tx));
        list.await.map(|rows| rows.len())
    };
    assert_eq!(ids("p", "row-01").await.unwrap(), 3);
    assert_eq!(ids("p", "row-04").await.unwrap(), 0);
    let gone = ids("p", "never").await;
    assert!(matches!(gone, Err(Error::MarkerNotFound)), "{gone:?}");
    let foreign = ids("q", "row-01").await;
    assert!(matches!(foreign, Err(Error::MarkerNotFound)), "{foreign:?}");
    // A marker that a filter no longer lets through still marks its place.
    let filtered = store.list(|tx| select().filter("id <> ", "row-01").after("row-01").rows(tx));
    assert_eq!(filtered.await.unwrap().len(), 3);
}

pub(super) async fn filters_take_any_text(fixture: Fixture) {
    let store = &fixture.store;
    let nasty = ["100%", "100_", "100\\x", "a' OR '1'='1", "1003", "$1 ?", "?"];
    store.write(move |tx| nasty.iter().try_for_each(|name| insert(tx, name, name))).await.unwrap();
    let count = |select: Select| async move {
        let rows = store.list(move |tx| select.rows(tx)).await;
        rows.unwrap().len()
    };
    for name in nasty {
        assert_eq!(count(select().filter("name = ", name)).await, 1, "{name}");
        assert_eq!(count(select().filter_prefix("name", name)).await, 1, "{name}");
        assert_eq!(count(select().filter_in("name", [name])).await, 1, "{name}");
    }
    assert_eq!(count(select().filter_prefix("name", "100")).await, 4);
    assert_eq!(count(select().filter_contains("name", "?")).await, 2);
    assert_eq!(count(select().filter_contains("name", "\\")).await, 1);
    assert_eq!(count(select().filter_in("name", nasty)).await, 7);
    assert_eq!(count(select().filter_in("name", ["100%", "?", "none"])).await, 2);
    assert_eq!(count(select().filter_in("name", Vec::<String>::new())).await, 0);
    assert_eq!(count(select().condition("size IS NOT NULL")).await, 0);
    let both = select().condition_with("(name = ? OR name = ?)", params!["?", "1003"].to_vec());
    assert_eq!(count(both).await, 2);
}

fn select() -> Select {
    Select::new("things", "id")
}

/// Rows with many equal and many missing sort values.
async fn fill(store: &Store, prefix: &str, count: i64) {
    let prefix = prefix.to_owned();
    let filled = store.write(move |tx| {
        for number in 0..count {
            let id = format!("{prefix}-{number:02}");
            let size = (number % 3 != 0).then_some(number % 4);
            let name = (number % 7 != 0).then(|| format!("{id} named"));
            tx.execute(
                "INSERT INTO things (id, project_id, name, size, created_at) VALUES ($1, 'p', $2, $3, $4)",
                &params![id, name, size, number % 5],
            )?;
        }
        Ok::<_, Error>(())
    });
    filled.await.unwrap();
}

/// What the widest allowed statement holds, both engines run; what is wider is said, and not tried.
pub(super) async fn a_query_that_is_too_wide_is_refused_and_one_that_is_not_is_run(fixture: Fixture) {
    let store = &fixture.store;
    fill(store, "row", 3).await;
    let count = async |select: Select| store.list(move |tx| select.rows(tx)).await.map(|rows| rows.len());
    let select = || Select::new("things", "id");
    let conditions = |many: usize| (0..many).fold(select(), |select, _| select.filter("id <> ", "none"));
    assert_eq!(count(conditions(600)).await.unwrap(), 3);
    assert!(matches!(count(conditions(601)).await, Err(Error::TooWide { what: "conditions", .. })));
    let parts = |many: usize| select().filter_contains_any("id", &vec!["row".to_owned(); many]);
    assert_eq!(count(parts(599)).await.unwrap(), 3);
    assert!(matches!(count(parts(2_000)).await, Err(Error::TooWide { .. })));
    let values = |many: usize| select().filter_in("id", (0..many).map(|number| format!("row {number}")));
    assert!(count(values(16_384)).await.unwrap() <= 3);
    assert!(matches!(count(values(16_385)).await, Err(Error::TooWide { what: "values", .. })));
    let keys = |many: usize| select().sort(&vec![("name", Asc); many], "id");
    assert_eq!(count(keys(31).after("nobody")).await.unwrap_err().to_string(), Error::MarkerNotFound.to_string());
    assert!(matches!(count(keys(32)).await, Err(Error::TooWide { what: "sort keys", .. })));
}

async fn page(store: &Store, order: &'static [(&'static str, Direction)], marker: Option<String>, limit: u32) -> Vec<String> {
    let list = store.list(move |tx| {
        let select = select()
            .scope("project_id = ", "p")
            .filter("enabled = ", true)
            .sort(order, "id")
            .not_null(&["created_at"])
            .after(marker.as_deref())
            .limit(limit);
        let rows = select.rows(tx)?;
        rows.iter().map(|row| row.get(0)).collect::<Result<_>>()
    });
    list.await.unwrap()
}

async fn nulls(store: &Store, column: &str) -> BTreeSet<String> {
    let condition = match column {
        "size" => "size IS NULL",
        _ => "name IS NULL",
    };
    let list = store.list(move |tx| {
        let rows = select().condition(condition).rows(tx)?;
        rows.iter().map(|row| row.get(0)).collect::<Result<_>>()
    });
    list.await.unwrap()
}
