// SPDX-License-Identifier: Apache-2.0
//! `{"createImage": {…}}`: checks, writes the order down, makes the image and wakes the node.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Reply};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use types::ImageId;

use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, argument},
    instance_action::{self, Action},
    server::{
        Server, action,
        guard::Guard,
        metadata,
        operation::{Ask as Order, ImageAsk, Operation, Snapshot, Stage, admission::Act},
        save::save,
    },
    versions::at_least,
};

/// Of whom and what the image tells, beside what it inherits.
struct Ask {
    name: String,
    metadata: BTreeMap<String, String>,
}

pub(crate) async fn create(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = Object::from_value("createImage", argument(&mut cx, "createImage").await?)?;
    let name = ask.name("name")?;
    let name = ask.required("name", name)?;
    let ask = {
        let metadata = ask.texts("metadata")?.unwrap_or_default();
        ask.finish()?;
        Ask { name, metadata }
    };
    let (guard, actor, caller, patience) = (Guard::of(&cx)?, cx.actor(), cx.caller()?, room.patience);
    let (user, roles) = (caller.user.id.clone(), caller.roles.iter().map(|role| role.name.clone()).collect::<Vec<_>>());
    action::await_devices(&room, &guard).await?;
    let image_id = ImageId::generate();
    let id = image_id.clone();
    let saved = room
        .store
        .write(move |tx| -> Result<_> {
            let before = guard.admit(tx, Act::CreateImage)?;
            if before.is_volume_backed() {
                return Err(Error::invalid("A server that boots from a volume has no disk to make an image of: take a snapshot of the volume, or upload it."));
            }
            metadata::check_count(&crate::quota::limits(tx, &before.project_id)?, ask.metadata.len())?;
            let image = Snapshot {
                id: id.clone(),
                owner: before.project_id.clone(),
                name: ask.name.clone(),
                min_disk: before.image.min_disk.max(before.flavor.disk_gb),
                min_ram: before.image.min_ram,
                properties: properties(&before, user.as_str(), &ask),
                user: user.clone(),
                roles: roles.clone(),
                request_id: actor.request_id.clone(),
            };
            let operation = Operation::begin(Order::CreateImage(ImageAsk { image }), Stage::ImageAsked, &actor, &patience);
            let after = Server { operation: Some(operation), ..before.clone() };
            instance_action::begin(tx, &actor, &before, Action::CreateImage, None)?;
            save(tx, &actor, Action::CreateImage.verb(), &before, after)
        })
        .await?;
    work::crash::point("compute.snapshot.recorded");
    if let Err(refusal) = room.begin_image(&saved.server.id, &image_id).await {
        // Whoever asked is told why, so nothing may go on behind his back.
        room.fail_image(&saved.server.id, &image_id, refusal.to_string()).await?;
        return Err(refusal.into());
    }
    if at_least(cx.version, 45) {
        return api::accepted(&json!({"image_id": image_id}));
    }
    let mut response = api::empty(StatusCode::ACCEPTED);
    if let Ok(location) = HeaderValue::from_str(&format!("{}/image/v2/images/{image_id}", cx.base_url())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What is inherited, what is known of the snapshot, and what was asked for, the later before the earlier.
fn properties(server: &Server, user: &str, ask: &Ask) -> BTreeMap<String, String> {
    let mut properties = server.image.properties.clone();
    properties.entry("base_image_ref".to_owned()).or_insert_with(|| server.image_id.to_string());
    let known = [
        ("instance_uuid", server.id.as_str()),
        ("user_id", user),
        ("image_type", "snapshot"),
        ("image_location", "snapshot"),
        ("image_state", "available"),
        ("owner_id", server.project_id.as_str()),
    ];
    properties.extend(known.map(|(name, value)| (name.to_owned(), value.to_owned())));
    properties.extend(ask.metadata.clone());
    properties
}
