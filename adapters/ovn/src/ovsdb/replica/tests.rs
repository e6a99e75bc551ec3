// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Indexes, Replica};
use crate::ovsdb::{Datum, Schema, follow::Touch};

fn replica() -> Replica {
    let strings = json!({"type": {"key": "string", "min": 0, "max": "unlimited"}});
    let map = json!({"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}});
    let ports = json!({"type": {"key": {"type": "uuid", "refTable": "P"}, "min": 0, "max": "unlimited"}});
    let schema = json!({"version": "1.0.0", "tables": {"S": {"columns": {
        "name": {"type": "string"}, "tag": {"type": {"key": "integer", "min": 0, "max": 1}},
        "labels": strings, "external_ids": map, "ports": ports,
    }}}});
    Replica::new(Schema::from_json(&schema).unwrap(), Indexes { key_name: Some("key"), pointing: None })
}

#[test]
fn updates_merge_as_the_server_means_them() {
    let (mut replica, row, port) = (replica(), Uuid::new_v4(), Uuid::new_v4());
    let mut tell = |update: Value| {
        let update = json!({"S": {row.to_string(): update}});
        replica.apply(&update).unwrap();
        replica.row("S", row).cloned()
    };
    let fresh = tell(json!({"insert": {"labels": ["set", ["a", "b"]], "external_ids": ["map", [["x", "1"]]]}}));
    assert_eq!(fresh.unwrap().get("name"), &Datum::from(""));
    let changed = tell(json!({"modify": {
        "labels": ["set", ["b", "c"]], "external_ids": ["map", [["x", "2"], ["key", "s/1"]]], "tag": 7,
        "ports": ["uuid", port.to_string()],
    }}));
    let changed = changed.unwrap();
    assert_eq!(changed.get("labels"), &Datum::set(["a", "c"]));
    assert_eq!(changed.get("external_ids"), &Datum::map([("x", "2"), ("key", "s/1")]));
    assert_eq!(changed.integer("tag"), Some(7));
    let cleared = tell(json!({"modify": {"external_ids": ["map", [["x", "2"]]], "tag": ["set", []]}}));
    let cleared = cleared.unwrap();
    assert_eq!(cleared.get("external_ids"), &Datum::map([("key", "s/1")]));
    assert_eq!(cleared.integer("tag"), None);

    assert_eq!(replica.keyed_under("s/").map(|(key, _)| key).collect::<Vec<_>>(), ["s/1"]);
    assert_eq!(replica.referrers(port).count(), 1);
    replica.apply(&json!({"S": {row.to_string(): {"delete": null}}})).unwrap();
    assert_eq!(replica.keyed_under("").count(), 0);
    assert_eq!(replica.referrers(port).count(), 0);
}

#[test]
fn a_change_to_an_unknown_row_is_noticed() {
    let update = json!({"S": {Uuid::new_v4().to_string(): {"modify": {"name": "x"}}}});
    assert!(replica().apply(&update).is_err());
}

/// What an update touched, as `key table.column`.
fn touched(replica: &mut Replica, update: &Value) -> Vec<String> {
    spelled(&replica.apply(update).unwrap())
}

fn spelled(touches: &[Touch]) -> Vec<String> {
    let spell = |touch: &Touch| format!("{} {}.{}", touch.key, touch.table, touch.column.as_deref().unwrap_or("*"));
    let mut all: Vec<String> = touches.iter().map(spell).collect();
    all.sort();
    all
}

fn with_key(key: &str) -> Value {
    json!({"external_ids": ["map", [["key", key]]]})
}

#[test]
fn an_update_says_which_keys_it_touched() {
    let (mut replica, [switch, one, other]) = (replica(), [(); 3].map(|()| Uuid::new_v4()));
    let id = |row: Uuid| json!(["uuid", row.to_string()]);
    let made = json!({"S": {
        switch.to_string(): {"insert": {"external_ids": ["map", [["key", "n/1/switch"]]], "ports": ["set", [id(one), id(other)]]}},
        one.to_string(): {"insert": with_key("p/1/port")}, other.to_string(): {"insert": with_key("p/2/port")},
    }});
    let all = ["n/1/switch S.*", "p/1/port S.*", "p/1/port S.ports", "p/2/port S.*", "p/2/port S.ports"];
    assert_eq!(touched(&mut replica, &made), all);
    let renamed = json!({"S": {one.to_string(): {"modify": {"name": "x", "tag": 7}}}});
    assert_eq!(touched(&mut replica, &renamed), ["p/1/port S.name", "p/1/port S.tag"]);
    // Who is taken out of a set is touched, and not the set's owner.
    let left = json!({"S": {switch.to_string(): {"modify": {"ports": id(one)}}}});
    assert_eq!(touched(&mut replica, &left), ["p/1/port S.ports"]);
    assert_eq!((replica.referrers(one).count(), replica.referrers(other).count()), (0, 1));
    // A key that somebody took away or gave to another row is touched as what it was and as what it is.
    let moved = json!({"S": {one.to_string(): {"modify": {"external_ids": ["map", [["key", "p/3/port"]]]}}}});
    assert_eq!(touched(&mut replica, &moved), ["p/1/port S.external_ids", "p/3/port S.external_ids"]);
    let gone = json!({"S": {other.to_string(): {"delete": null}, switch.to_string(): {"modify": {"ports": id(other)}}}});
    assert_eq!(touched(&mut replica, &gone), ["p/2/port S.*"]);
    assert_eq!(replica.referrers(other).count(), 0);
}

#[test]
fn what_happened_while_nobody_listened_is_found_by_comparing() {
    let rows: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
    let holding = |key: &str, held: Uuid, name: &str| json!({"initial": {"name": name, "external_ids": ["map", [["key", key]]], "ports": ["uuid", held.to_string()]}});
    let told = |name: &str, held: Uuid, last: (Uuid, &str)| {
        json!({"S": {
            rows[0].to_string(): holding("n/1/switch", held, name), rows[1].to_string(): {"initial": with_key("p/1/port")},
            rows[2].to_string(): {"initial": with_key("p/2/port")}, last.0.to_string(): {"initial": with_key(last.1)},
        }})
    };
    let (mut before, mut same, mut after) = (replica(), replica(), replica());
    before.apply(&told("a", rows[1], (rows[3], "p/3/port"))).unwrap();
    same.apply(&told("a", rows[1], (rows[3], "p/3/port"))).unwrap();
    assert_eq!(same.compared_with(&before), []);
    after.apply(&told("b", rows[2], (Uuid::new_v4(), "p/4/port"))).unwrap();
    let all = ["n/1/switch S.name", "p/1/port S.ports", "p/2/port S.ports", "p/3/port S.*", "p/4/port S.*"];
    assert_eq!(spelled(&after.compared_with(&before)), all);
}

#[test]
fn what_is_the_default_is_not_held_and_is_there() {
    let (mut replica, row) = (replica(), Uuid::new_v4());
    let update = |change: Value| json!({"S": {row.to_string(): change}});
    replica.apply(&update(json!({"insert": {"name": "", "labels": ["set", []]}}))).unwrap();
    let columns =
        |replica: &Replica| replica.row("S", row).unwrap().columns().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert!(columns(&replica).is_empty());
    assert_eq!(replica.row("S", row).unwrap().get("name"), &Datum::from(""));
    replica.apply(&update(json!({"modify": {"labels": ["set", ["a", "b", "c"]], "name": "x"}}))).unwrap();
    assert_eq!(columns(&replica), ["labels", "name"]);
    assert_eq!(replica.named("S", "x").map(|(found, _)| found), Some(row));
    for (change, labels) in
        [(json!(["set", ["a", "d"]]), vec!["b", "c", "d"]), (json!(["set", ["b", "c"]]), vec!["d"]), (json!("d"), vec![])]
    {
        replica.apply(&update(json!({"modify": {"labels": change}}))).unwrap();
        assert_eq!(replica.row("S", row).unwrap().get("labels"), &Datum::set(labels));
    }
    replica.apply(&update(json!({"modify": {"name": ""}}))).unwrap();
    assert!(columns(&replica).is_empty() && replica.named("S", "x").is_none());
}
