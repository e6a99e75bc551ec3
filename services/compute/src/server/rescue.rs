// SPDX-License-Identifier: Apache-2.0
//! `{"rescue": {…}}` and `{"unrescue": null}`.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply};
use contracts::{RefusalKind, node::Feature};
use http::StatusCode;
use serde_json::{Value, json};
use types::{ImageId, Secret};

use super::{
    ImageNote, action, create,
    operation::{Ask, RescueAsk, Stage, admission::Act},
    state::{Power, Reboot},
};
use crate::{
    Compute,
    error::Error,
    input::{Object, Read, argument, wrong},
    instance_action::Action,
};

pub(super) async fn rescue(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let (mut password, mut image) = (None, None);
    let body = argument(&mut cx, "rescue").await?;
    if !body.is_null() {
        let mut ask = Object::from_value("rescue", body)?;
        password = ask.text("adminPass", 0..=usize::MAX)?;
        image = ask.text("rescue_image_ref", 1..=64)?;
        ask.finish()?;
    }
    let server = action::demand(&room, &cx, Act::Rescue, Feature::Rescue).await?;
    if server.is_volume_backed() {
        return Err(Fault::bad_request(format!(
            "Cannot rescue a volume-backed instance: attach the volume of {} to another server instead.",
            server.id
        )));
    }
    let (image_id, image) = match image {
        Some(id) => find_image(&room, &server, &id).await?,
        // Without one it is that of which the server was made.
        None => (server.image_id.clone(), server.image.clone()),
    };
    let password = password.map_or_else(create::generate_password, Ok)?;
    let secret = Secret::new(password.clone());
    action::begin(&room, &cx, Act::Rescue, Action::Rescue, move |server| {
        let (was, power) = (server.vm_state.clone(), server.power);
        server.power = Power::Running;
        server.reboots += 1;
        server.reboot_kind = Reboot::Hard;
        server.marked_error = false;
        server.admin_password = Some(secret.clone());
        let ask = RescueAsk { was, power, image_id: image_id.clone(), image: image.clone() };
        Ok((Ask::Rescue(ask), Stage::Told))
    })
    .await?;
    api::json(StatusCode::OK, &json!({"adminPass": password}))
}

pub(super) async fn unrescue(room: Arc<Compute>, mut cx: Cx) -> Reply {
    argument(&mut cx, "unrescue").await?;
    action::move_on(&room, &cx, Act::Unrescue, Action::Unrescue, |server, operation, patience| {
        server.power = Power::Running;
        server.reboots += 1;
        server.reboot_kind = Reboot::Hard;
        match operation.ask {
            Ask::Rescue(_) => Ok(operation.at(Stage::Unrescuing, patience)),
            _ => Err(Error::conflict(format!("Instance {} is not rescued.", server.id))),
        }
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn find_image(room: &Compute, server: &super::Server, id: &str) -> Read<(ImageId, ImageNote)> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Err(wrong("rescue_image_ref", &Value::String(id.to_owned()), "It is not a 'uuid'."));
    }
    let id = ImageId::new(id);
    let unfit = || Fault::bad_request(format!("Requested rescue image '{id}' is not valid"));
    let image = room.images.get(Some(&server.project_id), &id).await.map_err(|refusal| match refusal.kind {
        RefusalKind::NotFound => unfit(),
        _ => refusal.into(),
    })?;
    if !create::is_bootable(&image) {
        return Err(unfit());
    }
    Ok((id, ImageNote { arch: None, ..create::note_of(&image, BTreeMap::new()) }))
}
