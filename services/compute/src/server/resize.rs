// SPDX-License-Identifier: Apache-2.0
//! `{"resize": {…}}`, `{"confirmResize": null}`, `{"revertResize": null}` and `{"migrate": …}`.

use std::sync::Arc;

use access::Target;
use api::{Cx, Fault, Reply};
use contracts::{RefusalKind, node::Feature};
use http::StatusCode;
use types::FlavorId;

use super::{
    Server, action, ask, claim,
    guard::Guard,
    operation::{Ask, Kept, Operation, ResizeAsk, Stage, admission::Act},
    save::save,
};
use crate::{
    Compute,
    error::{Error, Result},
    flavor::{self, Size},
    input::{Object, Read, argument},
    instance_action::{self, Action},
    quota,
    server::policy,
    versions::at_least,
};

/// What is asked of a server that changes its size or its host.
#[derive(Clone)]
struct Wish {
    /// None where it keeps its flavor.
    to: Option<Kept>,
    host: Option<String>,
    disk_config: Option<String>,
}

pub(super) async fn resize(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = Object::from_value("resize", argument(&mut cx, "resize").await?)?;
    let flavor = ask.text("flavorRef", 1..=255)?;
    let flavor = ask.required("flavorRef", flavor)?;
    let disk_config = ask::read_disk_config(&mut ask)?;
    ask.finish()?;
    // A link to a flavor is as good as its id.
    let id = FlavorId::new(flavor.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    let viewer = flavor::viewer(&cx);
    let found = room.store.read(move |tx| flavor::table::get(tx, &viewer, &id)).await.map_err(|error| match error {
        Error::Refused(refusal) if refusal.kind == RefusalKind::NotFound => Fault::bad_request(refusal.message),
        error => error.into(),
    });
    // Whether there is such a server goes before whether there is such a flavor.
    let guard = Guard::of(&cx)?;
    room.store.read(move |tx| guard.admit(tx, Act::Resize).map(drop)).await?;
    let flavor = found?;
    let wish = Wish { to: Some(Kept { id: flavor.id, size: flavor.size }), host: None, disk_config };
    begin(&room, &cx, Act::Resize, Action::Resize, wish).await
}

/// Cold: it is stopped on the way.
pub(super) async fn migrate(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let argument = argument(&mut cx, "migrate").await?;
    let mut host = None;
    if at_least(cx.version, 56) && !argument.is_null() {
        let mut ask = Object::from_value("migrate", argument)?;
        host = ask.take_some("host").map(|value| crate::input::name("host", value)).transpose()?;
        ask.finish()?;
    }
    let server = action::demand(&room, &cx, Act::Migrate, Feature::MoveDisk).await?;
    if let Some(host) = &host {
        cx.check(&policy::MIGRATE_HOST, &Target::in_project(&server.project_id))?;
        if server.host.as_ref() == Some(host) {
            return Err(Fault::bad_request(format!("The target host can't be the same one as the server's: {host}.")));
        }
        if !room.nodes.list().await?.iter().any(|node| node.hostname == *host) {
            return Err(Fault::bad_request(format!("Compute host {host} could not be found.")));
        }
    }
    begin(&room, &cx, Act::Migrate, Action::Migrate, Wish { to: None, host, disk_config: None }).await
}

async fn begin(room: &Compute, cx: &Cx, act: Act, action: Action, wish: Wish) -> Reply {
    let (guard, actor, patience) = (Guard::of(cx)?, cx.actor(), room.patience);
    action::await_devices(room, &guard).await?;
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, act)?;
            let from = Kept { id: before.flavor_id.clone(), size: before.flavor.clone() };
            let to = wish.to.clone().unwrap_or_else(|| from.clone());
            if wish.to.is_some() {
                check(&before, &to)?;
                quota::check_growth(tx, &before.project_id, &from.size, &to.size)?;
            }
            let ask = ResizeAsk {
                was: before.vm_state.clone(),
                must_move: wish.to.is_none(),
                host: wish.host.clone(),
                from_host: before.host.clone(),
                to_host: None,
                from,
                to,
            };
            let operation = Operation::begin(Ask::Resize(Box::new(ask)), Stage::Placing, &actor, &patience);
            let operation = Operation { from_node: before.node_id.clone(), ..operation };
            claim::insert_allocation(tx, &before.id, &operation.id)?;
            instance_action::begin(tx, &actor, &before, action, None)?;
            let mut after = Server { operation: Some(operation), ..before.clone() };
            if let Some(disk_config) = &wish.disk_config {
                after.disk_config.clone_from(disk_config);
            }
            save(tx, &actor, action.verb(), &before, after)
        })
        .await?;
    work::crash::point("compute.operation.recorded");
    room.tell(&saved);
    room.bell.ring_for([saved.server.id.as_str()]);
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// 204, as Nova answers it, though it is not done yet.
pub(super) async fn confirm(room: Arc<Compute>, cx: Cx) -> Reply {
    decide(&room, &cx, Act::ConfirmResize, Action::ConfirmResize, Stage::Confirming).await?;
    api::no_content()
}

pub(super) async fn revert(room: Arc<Compute>, cx: Cx) -> Reply {
    decide(&room, &cx, Act::RevertResize, Action::RevertResize, Stage::Reverting).await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn decide(room: &Compute, cx: &Cx, act: Act, action: Action, stage: Stage) -> Read<Server> {
    action::move_on(room, cx, act, action, move |_, operation, patience| {
        if operation.stage != Stage::Verify {
            return Err(Error::invalid("Instance has not been resized."));
        }
        Ok(operation.at(stage, patience))
    })
    .await
}

fn check(server: &Server, to: &Kept) -> Result<()> {
    let (size, image): (&Size, _) = (&to.size, &server.image);
    if to.id == server.flavor_id {
        return Err(Error::invalid("When resizing, instances must change flavor!"));
    }
    if size.disk_gb == 0 && server.flavor.disk_gb != 0 && !server.is_volume_backed() {
        return Err(Error::invalid("Resize to zero disk flavor is not allowed."));
    }
    if image.min_ram > size.memory_mb {
        return Err(Error::invalid("Flavor's memory is too small for requested image."));
    }
    // What a volume holds the flavor's disk does not have to.
    if server.is_volume_backed() {
        return Ok(());
    }
    let disk = Server { flavor: size.clone(), ..server.clone() }.root_size();
    if image.min_disk > size.disk_gb && size.disk_gb != 0 || disk < server.root_size() {
        return Err(Error::invalid(format!(
            "Flavor's disk is too small: {} GiB. The server's disk has {} bytes, and a disk can only grow.",
            size.disk_gb,
            server.root_size()
        )));
    }
    Ok(())
}
