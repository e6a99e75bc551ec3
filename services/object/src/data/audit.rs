// SPDX-License-Identifier: Apache-2.0
//! Compares what lies there with what the tables know, and what the tables count with what they hold.

use std::collections::BTreeSet;

use contracts::{
    Refusal,
    audit::{Finding, STRAY},
    data::Piece,
};
use store::{Tx, params};
use types::Timestamp;

use super::table;
use crate::{Error, Objects};

/// Pieces looked at in one go.
const PAGE: usize = 10_000;

pub async fn audit(room: &Objects) -> Result<Vec<Finding>, Error> {
    let mut findings = room.store.list(counted_wrong).await?;
    let (mut after, until) = (None, Timestamp::now());
    loop {
        // What comes in meanwhile lies there and is not known yet.
        let were_arriving = room.arriving.are_any();
        let lying = room.data.survey(after, until, PAGE).await?;
        let last = lying.last().map(|piece| (piece.segment, piece.offset));
        let (from, whole) = (after, lying.len() < PAGE);
        let until = if whole { None } else { last };
        let known = room.store.list(move |tx| known(tx, from, until)).await?;
        compare(&lying, &known, were_arriving || room.arriving.are_any(), &mut findings);
        match last {
            Some(_) if !whole => after = last,
            _ => return Ok(findings),
        }
    }
}

fn compare(lying: &[Piece], known: &[(Piece, bool)], under_way: bool, findings: &mut Vec<Finding>) {
    let place = |piece: &Piece| (piece.segment, piece.offset);
    let there: BTreeSet<_> = lying.iter().map(place).collect();
    let wanted: BTreeSet<_> = known.iter().map(|(piece, _)| place(piece)).collect();
    let finding = |kind: &str, (segment, offset): (u64, u64), detail: &str| Finding {
        room: "object-store".into(),
        kind: kind.into(),
        thing: "piece".into(),
        id: format!("{segment}/{offset}"),
        place: String::new(),
        detail: detail.into(),
    };
    let missing = known.iter().filter(|(piece, is_held)| *is_held && !there.contains(&place(piece)));
    findings.extend(missing.map(|(piece, _)| finding("missing", place(piece), "data of an object is not where it was put")));
    if !under_way {
        let strays = there.iter().filter(|place| !wanted.contains(place));
        findings.extend(strays.map(|place| finding(STRAY, *place, "no object has this data, and none gave it up")));
    }
}

/// Pieces that objects hold, and those that are to go (false), between two places.
fn known(tx: &mut Tx, after: Option<(u64, u64)>, until: Option<(u64, u64)>) -> Result<Vec<(Piece, bool)>, Error> {
    let lowest = after.map_or((-1, -1), |(segment, offset)| (segment.cast_signed(), offset.cast_signed()));
    let highest = until.map_or((i64::MAX, i64::MAX), |(segment, offset)| (segment.cast_signed(), offset.cast_signed()));
    let mut all = Vec::new();
    for (is_held, sql) in [
        (
            true,
            "SELECT segment, position, length, checksum FROM object_pieces WHERE (segment, position) > ($1, $2) AND (segment, position) <= ($3, $4)",
        ),
        (
            false,
            "SELECT segment, position, length, checksum FROM object_released WHERE (segment, position) > ($1, $2) AND (segment, position) <= ($3, $4)",
        ),
    ] {
        for row in tx.query(sql, &params![lowest.0, lowest.1, highest.0, highest.1])? {
            all.push((table::piece(&row)?, is_held));
        }
    }
    Ok(all)
}

fn counted_wrong(tx: &mut Tx) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for (thing, sql) in [
        (
            "container",
            "SELECT c.id FROM object_containers c LEFT JOIN object_objects o ON o.container_id = c.id \
             GROUP BY c.id, c.objects, c.bytes HAVING c.objects <> COUNT(o.name) OR c.bytes <> COALESCE(SUM(o.size), 0) + (SELECT COALESCE(SUM(p.size), 0) FROM object_parts p \
             JOIN object_uploads u ON u.id = p.upload_id WHERE u.container_id = c.id)",
        ),
        (
            "account",
            "SELECT a.project_id FROM object_accounts a LEFT JOIN object_containers c ON c.project_id = a.project_id \
             GROUP BY a.project_id, a.containers, a.objects, a.bytes HAVING a.containers <> COUNT(c.id) \
             OR a.objects <> COALESCE(SUM(c.objects), 0) OR a.bytes <> COALESCE(SUM(c.bytes), 0)",
        ),
        (
            "data",
            "SELECT d.id FROM object_data d WHERE d.holders <> (SELECT COUNT(*) FROM object_objects o WHERE o.data_id = d.id) \
             + (SELECT COUNT(*) FROM object_parts p WHERE p.data_id = d.id)",
        ),
    ] {
        for row in tx.query(sql, &[])? {
            findings.push(Finding {
                room: "object-store".into(),
                kind: "differs".into(),
                thing: thing.into(),
                id: row.get(0)?,
                place: String::new(),
                detail: "what it counts is not what it holds".into(),
            });
        }
    }
    Ok(findings)
}

/// The place before this one.
fn just_before(segment: u64, offset: u64) -> Option<(u64, u64)> {
    match offset.checked_sub(1) {
        Some(offset) => Some((segment, offset)),
        None => segment.checked_sub(1).map(|segment| (segment, i64::MAX.unsigned_abs())),
    }
}

pub async fn remove_stray(room: &Objects, stray: &Finding) -> Result<(), Refusal> {
    let unknown = || Refusal::invalid("The object room has found no such stray.");
    let (segment, offset) = stray.id.split_once('/').ok_or_else(unknown)?;
    let (segment, offset) = (segment.parse().map_err(|_| unknown())?, offset.parse().map_err(|_| unknown())?);
    let piece = Piece { segment, offset, length: 0, checksum: 0 };
    let before = just_before(segment, offset);
    let known = room
        .store
        .list(move |tx| known(tx, before, Some((segment, offset))))
        .await
        .map_err(|error: Error| Refusal::internal(error.to_string()))?;
    if known.iter().any(|(known, _)| known.segment == segment && known.offset == offset) {
        return Err(Refusal::conflict("An object has this data by now."));
    }
    let lying = room.data.survey(before, Timestamp::now(), 1).await?;
    let there: Vec<Piece> =
        lying.into_iter().filter(|lying| lying.segment == piece.segment && lying.offset == piece.offset).collect();
    room.data.give_up(&there).await
}
