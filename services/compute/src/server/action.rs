// SPDX-License-Identifier: Apache-2.0
//! What can be done to a server. Each action is admitted by the table, writes what is wanted with what is being done, and
//! wakes the node; nobody waits for anything here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::{Cx, Fault, Reply};
use contracts::node::{Feature, ThingId};
use http::StatusCode;
use serde_json::{Value, json};
use store::Tx;
use types::Timestamp;

use super::{
    Server,
    guard::Guard,
    operation::{Ask, Operation, PowerAsk, RebootAsk, Stage, admission::Act},
    save::{Saved, save},
    state::{Life, Power, Reboot},
};
use crate::{
    Compute, Patience,
    error::{Error, Result},
    input::{Object, Read, argument, wrong},
    instance_action::{self, Action},
    versions::at_least,
};

pub(super) async fn start(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "os-start").await?;
    change_power(&room, &cx, Act::Start, Action::Start, |was| (Ask::Start(PowerAsk { was }), Power::Running)).await
}

pub(super) async fn stop(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "os-stop").await?;
    change_power(&room, &cx, Act::Stop, Action::Stop, |was| (Ask::Stop(PowerAsk { was }), Power::Stopped)).await
}

pub(super) async fn pause(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "pause").await?;
    demand(&room, &cx, Act::Pause, Feature::Pause).await?;
    change_power(&room, &cx, Act::Pause, Action::Pause, |was| (Ask::Pause(PowerAsk { was }), Power::Paused)).await
}

pub(super) async fn unpause(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "unpause").await?;
    change_power(&room, &cx, Act::Unpause, Action::Unpause, |was| (Ask::Unpause(PowerAsk { was }), Power::Running)).await
}

/// A device that comes or goes is an operation here and none with Nova, where others may follow at once: who asks for the next
/// thing waits for it a little, and hears of it if it takes longer.
pub(super) async fn await_devices(room: &Compute, guard: &Guard) -> Read<()> {
    const MOST: Duration = Duration::from_secs(5);
    const BETWEEN: Duration = Duration::from_millis(50);
    let until = Instant::now() + MOST;
    loop {
        let one = guard.clone();
        let server = room.store.read(move |tx| one.find(tx)).await?;
        let is_coming = server.open().is_some_and(|operation| operation.kind.is_of_a_device());
        if !is_coming || Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// The server, if this may be done to it and its host knows how. Asked before anything is written down.
pub(super) async fn demand(room: &Compute, cx: &Cx, act: Act, feature: Feature) -> Read<Server> {
    let guard = Guard::of(cx)?;
    await_devices(room, &guard).await?;
    let server = room.store.read(move |tx| guard.admit(tx, act)).await?;
    if let Some(node) = &server.node_id
        && let Some(facts) = room.nodes.get(node).await?
    {
        facts.demand(feature)?;
    }
    Ok(server)
}

async fn change_power(room: &Compute, cx: &Cx, act: Act, action: Action, to: fn(Power) -> (Ask, Power)) -> Reply {
    begin(room, cx, act, action, move |server| {
        let (ask, power) = to(server.power);
        server.power = power;
        server.marked_error = false;
        Ok((ask, Stage::Told))
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

pub(super) async fn reboot(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = Object::from_value("reboot", argument(&mut cx, "reboot").await?)?;
    let kind = ask.text("type", 1..=16)?;
    let (kind, act) = match ask.required("type", kind)?.to_ascii_uppercase().as_str() {
        "SOFT" => (Reboot::Soft, Act::SoftReboot),
        // It is also the way out of states in which something hangs.
        "HARD" => (Reboot::Hard, Act::HardReboot),
        other => return Err(wrong("type", &json!(other), "It is not one of ['HARD', 'SOFT'].")),
    };
    ask.finish()?;
    begin(&room, &cx, act, Action::Reboot, move |server| {
        let was = server.vm_state.clone();
        server.power = Power::Running;
        server.reboots += 1;
        server.reboot_kind = kind;
        server.marked_error = false;
        Ok((Ask::Reboot(RebootAsk { kind, was }), Stage::Told))
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Begins an operation: admitted, written down with what is wanted now, told to the nodes.
pub(super) async fn begin(
    room: &Compute,
    cx: &Cx,
    act: Act,
    action: Action,
    ask: impl Fn(&mut Server) -> Result<(Ask, Stage)> + Send + Sync + 'static,
) -> Read<Server> {
    begin_with(room, cx, act, action, move |_, server| ask(server)).await
}

/// The same where claims are written with it.
pub(super) async fn begin_with(
    room: &Compute,
    cx: &Cx,
    act: Act,
    action: Action,
    ask: impl Fn(&mut Tx, &mut Server) -> Result<(Ask, Stage)> + Send + Sync + 'static,
) -> Read<Server> {
    let (guard, actor, patience) = (Guard::of(cx)?, cx.actor(), room.patience);
    await_devices(room, &guard).await?;
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, act)?;
            let mut after = before.clone();
            let (ask, stage) = ask(tx, &mut after)?;
            after.operation = Some(Operation::begin(ask, stage, &actor, &patience));
            let saved = save(tx, &actor, action.verb(), &before, after)?;
            // That a machine is as wanted says nothing of a device of which it has not heard.
            let is_of_a_device =
                matches!(action, Action::AttachInterface | Action::DetachInterface | Action::AttachVolume | Action::DetachVolume);
            let generation = (!is_of_a_device).then_some(saved.server.generation);
            instance_action::begin(tx, &actor, &saved.server, action, generation)?;
            Ok(saved)
        })
        .await?;
    work::crash::point("compute.operation.recorded");
    room.tell(&saved);
    Ok(saved.server)
}

/// Moves an operation on that waits for a word of its user.
pub(super) async fn move_on(
    room: &Compute,
    cx: &Cx,
    act: Act,
    action: Action,
    next: impl Fn(&mut Server, &Operation, &Patience) -> Result<Operation> + Send + Sync + 'static,
) -> Read<Server> {
    let (guard, actor, patience) = (Guard::of(cx)?, cx.actor(), room.patience);
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, act)?;
            let Some(operation) = before.open() else {
                return Err(Error::conflict(format!("Instance {} waits for no such word.", before.id)));
            };
            let mut after = before.clone();
            after.operation = Some(next(&mut after, operation, &patience)?);
            let saved = save(tx, &actor, action.verb(), &before, after)?;
            let generation = (action == Action::Unrescue).then_some(saved.server.generation);
            instance_action::begin(tx, &actor, &saved.server, action, generation)?;
            Ok(saved)
        })
        .await?;
    work::crash::point("compute.operation.recorded");
    room.tell(&saved);
    room.bell.ring_for([saved.server.id.as_str()]);
    Ok(saved.server)
}

/// `DELETE`, and forceDelete, which is the same: nothing is kept for a while here.
pub(super) async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let status = if cx.method == http::Method::DELETE { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
    let (guard, actor) = (Guard::of(&cx)?, cx.actor());
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, Act::Delete)?;
            if before.deleting_at.is_some() {
                return Ok(None);
            }
            let after = Server { deleting_at: Some(Timestamp::now()), ..before.clone() };
            let saved = save(tx, &actor, "server.delete", &before, after)?;
            instance_action::begin(tx, &actor, &saved.server, Action::Delete, None)?;
            Ok(Some(saved))
        })
        .await?;
    work::crash::point("compute.server.deletion-recorded");
    if let Some(saved) = &saved {
        room.tell(saved);
        room.bell.ring_for([saved.server.id.as_str()]);
    }
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
    note(&room, &cx, Act::ResetState, Action::ResetState, move |_, server| {
        if !marked && server.life == Life::Failed {
            let message = format!("Instance {} was never built and has no machine: it cannot be active. Delete it.", server.id);
            return Err(Error::conflict(message));
        }
        server.marked_error = marked;
        Ok(())
    })
    .await
}

pub(super) async fn lock(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut reason = None;
    if let (true, Value::Object(fields)) = (at_least(cx.version, 73), argument(&mut cx, "lock").await?) {
        let mut ask = Object::from_value("lock", Value::Object(fields))?;
        reason = ask.text("locked_reason", 1..=255)?;
        ask.finish()?;
    }
    let user = cx.caller()?.user.id.clone();
    note(&room, &cx, Act::Lock, Action::Lock, move |guard, server| {
        let by = if server.user_id == user || !guard.overrides_locks() { "owner" } else { "admin" };
        server.locked_by = Some(by.to_owned());
        server.locked_reason.clone_from(&reason);
        Ok(())
    })
    .await
}

pub(super) async fn unlock(room: Arc<Compute>, cx: Cx) -> Reply {
    note(&room, &cx, Act::Unlock, Action::Unlock, |guard, server| {
        if server.locked_by.as_deref() == Some("admin") && !guard.overrides_locks() {
            return Err(Error::conflict(format!("Instance {} is locked by the operator.", server.id)));
        }
        (server.locked_by, server.locked_reason) = (None, None);
        Ok(())
    })
    .await
}

/// What is done by writing it down.
async fn note(
    room: &Compute,
    cx: &Cx,
    act: Act,
    action: Action,
    change: impl Fn(&Guard, &mut Server) -> Result<()> + Send + Sync + 'static,
) -> Reply {
    let (guard, actor) = (Guard::of(cx)?, cx.actor());
    room.store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, act)?;
            let mut after = before.clone();
            change(&guard, &mut after)?;
            instance_action::done(tx, &actor, &after, action)?;
            save(tx, &actor, action.verb(), &before, after)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Nothing of ours is inside the guest, so nobody there could do it.
pub(super) async fn change_password(room: Arc<Compute>, cx: Cx) -> Reply {
    let guard = Guard::of(&cx)?;
    room.store.read(move |tx| guard.admit(tx, Act::ChangePassword).map(drop)).await?;
    Err(Fault::new(
        StatusCode::NOT_IMPLEMENTED,
        "Unable to set password on instance: this needs an agent in the guest, which is not supported. \
         Log in with a key and change it there.",
    ))
}

/// Changes what a user notes on his server; answers it as it is then.
pub(super) async fn edit(
    room: &Compute,
    cx: &Cx,
    act: Act,
    verb: &'static str,
    change: impl Fn(&mut Tx, &mut Server) -> Result<()> + Send + Sync + 'static,
) -> Read<Server> {
    let (guard, actor) = (Guard::of(cx)?, cx.actor());
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, act)?;
            let mut after = before.clone();
            change(tx, &mut after)?;
            save(tx, &actor, verb, &before, after)
        })
        .await?;
    room.tell(&saved);
    Ok(saved.server)
}

impl Compute {
    /// Tells the nodes that have to hear of a change.
    pub(crate) fn tell(&self, saved: &Saved) {
        let thing = [ThingId::machine(&saved.server.id)];
        saved.nodes.iter().for_each(|node| self.nodes.tell(node, &thing));
        self.told.note(&saved.server);
    }
}
