// SPDX-License-Identifier: Apache-2.0
//! What can be done to a server. Each action checks, writes what is wanted with a new generation, and wakes the node;
//! nobody waits for anything here.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use contracts::node::{Power, RebootKind};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Actor, Tx, params};
use types::{NodeId, Timestamp};

use super::{Server, guard::Guard, state::Phase, store as table};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, argument, wrong},
    instance_action::{self, Action},
    versions::at_least,
};

pub(super) async fn start(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "os-start").await?;
    let guard = Guard::of(&cx)?;
    change_power(&room, &cx, Action::Start, move |tx| {
        let server = guard.at_rest(tx, "start", &["stopped"])?;
        Ok((server, Power::Running))
    })
    .await
}

pub(super) async fn stop(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "os-stop").await?;
    let guard = Guard::of(&cx)?;
    change_power(&room, &cx, Action::Stop, move |tx| {
        let server = guard.at_rest(tx, "stop", &["active", "error"])?;
        if server.phase != Phase::Built {
            return Err(never_ran(&server, "stop"));
        }
        Ok((server, Power::Stopped))
    })
    .await
}

pub(super) async fn reboot(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = Object::from_value("reboot", argument(&mut cx, "reboot").await?)?;
    let kind = ask.text("type", 1..=16)?;
    let kind = match ask.required("type", kind)?.to_ascii_uppercase().as_str() {
        "SOFT" => RebootKind::Soft,
        "HARD" => RebootKind::Hard,
        other => return Err(wrong("type", &json!(other), "It is not one of ['HARD', 'SOFT'].")),
    };
    ask.finish()?;
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    let node = room
        .store
        .write(move |tx| -> Result<_> {
            let server = match kind {
                RebootKind::Soft => guard.at_rest(tx, "reboot", &["active"])?,
                // It is also the way out of states in which something hangs.
                RebootKind::Hard => guard.not_deleting(tx, "reboot")?,
            };
            if server.phase != Phase::Built {
                return Err(never_ran(&server, "reboot"));
            }
            let generation = table::bump(tx, &server)?;
            let word = if kind == RebootKind::Hard { "hard" } else { "soft" };
            tx.execute(
                "UPDATE servers SET power = 'running', reboots = reboots + 1, reboot_kind = $1, marked_error = 0 WHERE id = $2",
                &params![word, &server.id],
            )?;
            instance_action::begin(tx, &actor, &server, Action::Reboot, Some(generation))?;
            table::record(tx, &actor, "server.reboot", &server, None, json!({"type": word, "generation": generation}))?;
            Ok(server.node_id)
        })
        .await?;
    wake(&room, node);
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// `DELETE`, and forceDelete, which is the same: nothing is kept for a while here.
pub(super) async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let status = if cx.method == http::Method::DELETE { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    let node = room
        .store
        .write(move |tx| -> Result<_> {
            let server = guard.open(tx)?;
            if server.deleting_at.is_some() {
                return Ok(None);
            }
            let generation = table::bump(tx, &server)?;
            tx.execute("UPDATE servers SET deleting_at = $1 WHERE id = $2", &params![Timestamp::now(), &server.id])?;
            instance_action::begin(tx, &actor, &server, Action::Delete, None)?;
            let before = json!({"name": server.name, "power": server.power, "host": server.host});
            table::record(
                tx,
                &actor,
                "server.delete",
                &server,
                Some(before),
                json!({"deleting": true, "generation": generation}),
            )?;
            Ok(server.node_id)
        })
        .await?;
    work::crash::point("compute.server.deletion-recorded");
    wake(&room, node);
    room.bell.ring();
    Ok(api::empty(status))
}

pub(super) async fn reset_state(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = Object::from_value("os-resetState", argument(&mut cx, "os-resetState").await?)?;
    let state = ask.text("state", 1..=16)?;
    let state = ask.required("state", state)?;
    ask.finish()?;
    let marked = match state.as_str() {
        "error" => true,
        "active" => false,
        other => return Err(wrong("state", &json!(other), "It is not one of ['active', 'error'].")),
    };
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    room.store
        .write(move |tx| -> Result<_> {
            let server = guard.find(tx)?;
            if !marked && matches!(server.phase, Phase::Failing | Phase::Failed) {
                let message =
                    format!("Instance {} was never built and has no machine: it cannot be active. Delete it.", server.id);
                return Err(Error::conflict(message));
            }
            tx.execute(
                "UPDATE servers SET marked_error = $1, updated_at = $2 WHERE id = $3",
                &params![marked, Timestamp::now(), &server.id],
            )?;
            instance_action::done(tx, &actor, &server, Action::ResetState)?;
            table::record(tx, &actor, "server.reset_state", &server, None, json!({"state": state}))
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

pub(super) async fn lock(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut reason = None;
    if let (true, Value::Object(fields)) = (at_least(cx.version, 73), argument(&mut cx, "lock").await?) {
        let mut ask = Object::from_value("lock", Value::Object(fields))?;
        reason = ask.text("locked_reason", 1..=255)?;
        ask.finish()?;
    }
    let (guard, actor, user) = (Guard::of(&cx)?, cx.actor(), cx.caller()?.user.id.clone());
    room.store
        .write(move |tx| -> Result<_> {
            let server = guard.find(tx)?;
            let by = if server.user_id == user || !guard.overrides_locks() { "owner" } else { "admin" };
            tx.execute(
                "UPDATE servers SET locked_by = $1, locked_reason = $2, updated_at = $3 WHERE id = $4",
                &params![by, reason.clone(), Timestamp::now(), &server.id],
            )?;
            instance_action::done(tx, &actor, &server, Action::Lock)?;
            table::record(tx, &actor, "server.lock", &server, None, json!({"locked_by": by, "reason": reason}))
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

pub(super) async fn unlock(room: Arc<Compute>, cx: Cx) -> Reply {
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    room.store
        .write(move |tx| -> Result<_> {
            let server = guard.find(tx)?;
            if server.locked_by.as_deref() == Some("admin") && !guard.overrides_locks() {
                return Err(Error::conflict(format!("Instance {} is locked by the operator.", server.id)));
            }
            tx.execute(
                "UPDATE servers SET locked_by = NULL, locked_reason = NULL, updated_at = $1 WHERE id = $2",
                &params![Timestamp::now(), &server.id],
            )?;
            instance_action::done(tx, &actor, &server, Action::Unlock)?;
            table::record(tx, &actor, "server.unlock", &server, None, json!({"locked_by": null}))
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Nothing of ours is inside the guest, so nobody there could do it.
pub(super) async fn change_password(room: Arc<Compute>, cx: Cx) -> Reply {
    let guard = Guard::of(&cx)?;
    room.store.read(move |tx| guard.open(tx).map(drop)).await?;
    Err(Fault::new(
        StatusCode::NOT_IMPLEMENTED,
        "Unable to set password on instance: this needs an agent in the guest, which is not supported. \
         Log in with a key and change it there.",
    ))
}

async fn change_power(
    room: &Compute,
    cx: &Cx,
    action: Action,
    admit: impl Fn(&mut Tx) -> Result<(Server, Power)> + Send + Sync + 'static,
) -> Reply {
    let actor = cx.actor();
    let node = room
        .store
        .write(move |tx| -> Result<_> {
            let (server, power) = admit(tx)?;
            set_power(tx, &actor, &server, action, power)?;
            Ok(server.node_id)
        })
        .await?;
    wake(room, node);
    Ok(api::empty(StatusCode::ACCEPTED))
}

fn set_power(tx: &mut Tx, actor: &Actor, server: &Server, action: Action, power: Power) -> Result<()> {
    let generation = table::bump(tx, server)?;
    let word = super::row::power_word(power);
    tx.execute("UPDATE servers SET power = $1, marked_error = 0 WHERE id = $2", &params![word, &server.id])?;
    instance_action::begin(tx, actor, server, action, Some(generation))?;
    let before = json!({"power": super::row::power_word(server.power)});
    table::record(tx, actor, &format!("server.{}", action.name()), server, Some(before), json!({"power": word}))
}

fn never_ran(server: &Server, action: &str) -> Error {
    Error::conflict(format!("Cannot '{action}' instance {}: it was never built. Delete it.", server.id))
}

fn wake(room: &Compute, node: Option<NodeId>) {
    if let Some(node) = node {
        room.nodes.wake(&node);
    }
}
