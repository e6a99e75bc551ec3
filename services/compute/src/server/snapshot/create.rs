// SPDX-License-Identifier: Apache-2.0
//! `{"createImage": {…}}`: checks, writes the order down, makes the image and wakes the node.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Reply};
use contracts::images::NewSnapshot;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use types::ImageId;

use super::{Snapshot, Stage, store};
use crate::{
    Compute,
    error::Result,
    input::{Object, argument},
    instance_action::{self, Action},
    server::{Server, guard::Guard, metadata, store as table},
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
    let (guard, actor, caller) = (Guard::of(&cx)?, cx.actor(), cx.caller()?);
    let (user, roles) = (caller.user.id.clone(), caller.roles.iter().map(|role| role.name.clone()).collect::<Vec<_>>());
    let image_id = ImageId::generate();
    let id = image_id.clone();
    let (server, snapshot) = room
        .store
        .write(move |tx| -> Result<_> {
            let server = guard.at_rest(tx, "createImage", &["active", "stopped"])?;
            metadata::check_count(tx, &server.project_id, ask.metadata.len())?;
            let image = NewSnapshot {
                id: id.clone(),
                owner: server.project_id.clone(),
                name: ask.name.clone(),
                min_disk: server.image.min_disk.max(server.flavor.disk_gb),
                min_ram: server.image.min_ram,
                properties: properties(&server, user.as_str(), &ask),
                user: user.clone(),
                roles: roles.clone(),
                request_id: actor.request_id.clone(),
            };
            let snapshot = Snapshot { image, stage: Stage::Asked };
            store::set(tx, &server, Some(&snapshot))?;
            instance_action::begin(tx, &actor, &server, Action::CreateImage, None)?;
            let after = json!({"image_id": snapshot.image.id, "name": snapshot.image.name});
            table::record(tx, &actor, "server.create_image", &server, None, after)?;
            Ok((server, snapshot))
        })
        .await?;
    work::crash::point("compute.snapshot.recorded");
    if let Err(refusal) = room.begin_snapshot(&server.id, &snapshot).await {
        // Whoever asked is told why, so nothing may go on behind his back.
        room.fail_snapshot(&server.id, &image_id, &refusal.to_string()).await?;
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
