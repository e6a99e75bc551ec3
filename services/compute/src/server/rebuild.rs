// SPDX-License-Identifier: Apache-2.0
//! `{"rebuild": {…}}`: what a server is made of anew, and what else is said of it with that.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply};
use contracts::{RefusalKind, node::Feature};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use types::{ImageId, Secret, Timestamp};

use super::{
    ImageNote, Server, action, ask, create, metadata,
    operation::{Ask as Order, RebuildAsk, Stage, admission::Act},
    schedule, snapshot,
    state::{Power, Reboot},
    view::{Answer, Detail, Sight},
};
use crate::{
    Compute,
    error::Error,
    input::{Object, Read, argument, wrong},
    instance_action::Action,
    keypair::{self, Keypair},
    versions::at_least,
};

/// What is asked for; what is not said stays as it is.
struct Ask {
    image: ImageId,
    name: Option<String>,
    admin_password: Option<Secret<String>>,
    metadata: Option<BTreeMap<String, String>>,
    disk_config: Option<String>,
    access_ip_v4: Option<Option<String>>,
    access_ip_v6: Option<Option<String>>,
    description: Option<Option<String>>,
    key_name: Option<Option<String>>,
    user_data: Option<Option<Secret<String>>>,
    hostname: Option<String>,
}

pub(super) async fn rebuild(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let ask = read(&mut cx).await?;
    let server = action::demand(&room, &cx, Act::Rebuild, Feature::Rebuild).await?;
    if server.is_volume_backed() {
        return Err(Fault::bad_request("Unable to rebuild a volume-backed server: its disk is a volume, and stays as it is."));
    }
    let image = create::find_image(&room, &server.project_id, &ask.image).await?;
    create::check_sizes(&server.flavor, &image)?;
    let note = create::note_of(&image, snapshot::inherited(cx.caller()?, &image));
    check_architecture(&room, &server, &note).await?;
    let keypair = find_key(&room, &server, &ask).await?;
    let password = ask.admin_password.clone().map_or_else(|| create::generate_password().map(Secret::new), Ok)?;
    let secret = password.clone();
    let image_id = image.id.clone();
    let begun = action::begin_with(&room, &cx, Act::Rebuild, Action::Rebuild, move |tx, server| {
        if let Some(metadata) = &ask.metadata {
            metadata::check_count(&crate::quota::limits(tx, &server.project_id)?, metadata.len())?;
        }
        let order = RebuildAsk { was: server.vm_state.clone(), power: server.power };
        server.become_other(&ask, keypair.as_ref());
        (server.image_id, server.image) = (image_id.clone(), note.clone());
        server.root_edition = Timestamp::now().0.max(server.root_edition + 1);
        (server.power, server.reboot_kind) = (Power::Running, Reboot::Hard);
        server.reboots += 1;
        (server.marked_error, server.guest_password) = (false, None);
        server.admin_password = Some(secret.clone());
        Ok((Order::Rebuild(order), Stage::Told))
    })
    .await?;
    answer(&room, &cx, &begun, &password).await
}

async fn read(cx: &mut Cx) -> Read<Ask> {
    let version = cx.version;
    let mut ask = Object::from_value("rebuild", argument(cx, "rebuild").await?)?;
    let image = ask.text("imageRef", 1..=512)?;
    let image = ask.required("imageRef", image)?;
    // A link to an image is as good as its id.
    let id = image.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if uuid::Uuid::try_parse(id).is_err() {
        return Err(wrong("imageRef", &json!(image), "It is not a 'uuid'."));
    }
    let metadata = ask.texts("metadata")?;
    let said = |ask: &mut Object, key: &str| -> Read<Option<Option<String>>> {
        if ask.has(key) { ask::read_access_ip(ask, key).map(Some) } else { Ok(None) }
    };
    let read = Ask {
        image: ImageId::new(id),
        name: ask.name("name")?,
        admin_password: ask.text("adminPass", 0..=255)?.map(Secret::new),
        metadata,
        disk_config: ask::read_disk_config(&mut ask)?,
        access_ip_v4: said(&mut ask, "accessIPv4")?,
        access_ip_v6: said(&mut ask, "accessIPv6")?,
        description: if at_least(version, 19) { ask.text_or_null("description", 0..=255)? } else { None },
        key_name: if at_least(version, 54) { ask.text_or_null("key_name", 1..=255)? } else { None },
        user_data: if at_least(version, 57) { ask::read_user_data_or_null(&mut ask)? } else { None },
        hostname: ask::read_hostname(&mut ask, version)?,
    };
    ask::refuse_personality(&mut ask, version)?;
    ask::refuse_certificates(&mut ask, version)?;
    if ask.flag("preserve_ephemeral")?.unwrap_or(false) {
        return Err(Fault::bad_request("preserve_ephemeral cannot be used: servers have no ephemeral disks that could be kept."));
    }
    ask.finish()?;
    Ok(read)
}

/// It stays where it is, so what it becomes must run there.
async fn check_architecture(room: &Compute, server: &Server, image: &ImageNote) -> Read<()> {
    let Some(node) = &server.node_id else { return Ok(()) };
    let node = room.nodes.get(node).await?;
    let arch = node.and_then(|node| node.hello).map(|hello| hello.cpu_arch).filter(|arch| !arch.is_empty());
    match (&image.arch, arch) {
        (Some(wanted), Some(arch)) if !schedule::same_architecture(wanted, &arch) => {
            Err(Fault::bad_request(format!("The image is for {wanted}; the server's host is of another architecture.")))
        }
        _ => Ok(()),
    }
}

/// That of the server's user, whoever rebuilds it.
async fn find_key(room: &Compute, server: &Server, ask: &Ask) -> Read<Option<Keypair>> {
    let Some(Some(name)) = ask.key_name.clone() else { return Ok(None) };
    let user = server.user_id.clone();
    let found = room.store.read(move |tx| keypair::table::get(tx, &user, &name)).await;
    found.map(Some).map_err(|error: Error| match error {
        Error::Refused(refusal) if refusal.kind == RefusalKind::NotFound => Fault::bad_request("Invalid key_name provided."),
        error => error.into(),
    })
}

impl Server {
    fn become_other(&mut self, ask: &Ask, keypair: Option<&Keypair>) {
        let set = |field: &mut String, new: &Option<String>| new.iter().for_each(|new| field.clone_from(new));
        set(&mut self.name, &ask.name);
        set(&mut self.hostname, &ask.hostname);
        set(&mut self.disk_config, &ask.disk_config);
        let set = |field: &mut Option<String>, new: &Option<Option<String>>| new.iter().for_each(|new| field.clone_from(new));
        set(&mut self.description, &ask.description);
        set(&mut self.access_ip_v4, &ask.access_ip_v4);
        set(&mut self.access_ip_v6, &ask.access_ip_v6);
        ask.metadata.iter().for_each(|new| self.metadata.clone_from(new));
        ask.user_data.iter().for_each(|new| self.user_data.clone_from(new));
        if ask.key_name.is_some() {
            self.key_name = keypair.map(|keypair| keypair.name.clone());
            self.public_key = keypair.map(|keypair| keypair.public_key.clone());
        }
    }
}

async fn answer(room: &Compute, cx: &Cx, server: &Server, password: &Secret<String>) -> Reply {
    let sight = Sight::of(room, cx, std::slice::from_ref(server)).await?;
    let detail = Detail { cx, sight: &sight, server, answer: Answer::Rebuild };
    let mut view = serde_json::to_value(&detail).map_err(Fault::internal)?;
    view["adminPass"] = json!(password.reveal());
    let mut response = api::json(StatusCode::ACCEPTED, &json!({"server": view}))?;
    if let Ok(location) = HeaderValue::from_str(&cx.url(&format!("/v2.1/servers/{}", server.id))) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
