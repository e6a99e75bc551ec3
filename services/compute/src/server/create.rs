// SPDX-License-Identifier: Apache-2.0
//! `POST /servers`: checks the wish with the neighbours, then writes it down and answers. The rest is reconciled.

use std::{collections::BTreeMap, sync::Arc};

use access::Target;
use api::{Cx, Fault, Reply};
use contracts::{
    RefusalKind,
    images::ImageFacts,
    ports::{NicAsk, NicWish},
};
use futures_util::future::try_join4;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use types::{Generation, ImageId, PortId, ProjectId, Secret, ServerId, Timestamp};

use super::{
    ImageNote, Server,
    ask::{self, Ask, Networks},
    claim, hostname, metadata,
    operation::{self, BuildAsk, Operation, Stage},
    save, snapshot,
    state::{Life, Power, Reboot},
    volume::{self, Attached},
};
use crate::{
    Compute,
    availability_zone::ZONE,
    error::{Error, Result},
    flavor::{self, Flavor, Size},
    input::Read,
    instance_action::{self, Action},
    keypair::{self, Keypair},
    links,
    quota::{self, Usage},
    server::policy,
};

/// Disk formats that hosts can make a root disk of.
const BOOTABLE: [&str; 6] = ["raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi"];
/// Containers whose data is not the disk itself.
const CLOSED: [&str; 3] = ["ova", "docker", "compressed"];

/// Where the server shall run, as `availability_zone` and `host` say.
struct Destination {
    zone: Option<String>,
    host: Option<String>,
    is_forced: bool,
}

pub(super) async fn create(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let ask = ask::read(&mut cx).await?;
    let project = cx.project()?.clone();
    let destination = destination(&room, &cx, &project, &ask).await?;
    volume::create::check_count(&ask)?;
    let (image, (flavor, keypair), nics, volumes) = try_join4(
        find_root_image(&room, &project, &ask),
        find_ours(&room, &cx, &ask),
        plan_nics(&room, &cx, &ask),
        volume::create::plan(&room, &cx, &ask.disks),
    )
    .await?;
    let root = root(&cx, &flavor.size, image.as_ref(), &volumes)?;
    if ask.max_count > 1 && ask.networks_are_single() {
        return Err(Fault::bad_request("A port or a fixed IP can be given to one server only; max_count must be 1."));
    }

    let admin_password = match &ask.admin_password {
        Some(password) => password.clone(),
        None => Secret::new(generate_password()?),
    };
    let template = template(&cx, &project, &ask, destination, &flavor, root, keypair.as_ref(), &admin_password)?;
    let (least, most) = (ask.min_count, ask.max_count);
    let each = Usage { instances: 1, cores: flavor.size.vcpus.into(), ram: flavor.size.memory_mb.try_into().unwrap_or(i64::MAX) };
    let (actor, patience) = (cx.actor(), room.patience);
    let (first, has_volumes) = (template.clone(), !volumes.is_empty());
    let servers = room
        .store
        .write(move |tx| -> Result<Vec<New>> {
            let limits = quota::limits(tx, &first.project_id)?;
            metadata::check_count(&limits, first.metadata.len())?;
            let count = quota::fitting(tx, &first.project_id, &limits, each, least, most)?;
            let mut servers = several(&first, &nics, &volumes, count);
            for New { server, .. } in &mut servers {
                let ask = operation::Ask::Build(BuildAsk { has_volumes });
                server.operation = Some(Operation::begin(ask, Stage::Scheduling, &actor, &patience));
            }
            for New { server, nics, volumes } in &servers {
                let server = save::create(tx, &actor, server.clone())?;
                claim::insert_first(tx, &server.id, nics, volumes)?;
                instance_action::begin(tx, &actor, &server, Action::Create, Some(server.generation))?;
            }
            Ok(servers)
        })
        .await?;
    work::crash::point("compute.server.recorded");
    for New { server, volumes, .. } in &servers {
        room.reserve_first(server, volumes).await?;
    }
    room.bell.ring_for(servers.iter().map(|new| new.server.id.as_str()));
    answer(&cx, &ask, servers.first().map_or(&template, |new| &new.server), &admin_password)
}

impl Ask {
    fn networks_are_single(&self) -> bool {
        let single = |wish: &NicWish| matches!(wish, NicWish::Port(_) | NicWish::Network { fixed_ip: Some(_), .. });
        matches!(&self.networks, Networks::Wishes(wishes) if wishes.iter().any(|(wish, _)| single(wish)))
    }
}

/// `zone`, `zone:host` or `zone:host:node` as older clients say it, and `host` as 2.74 does.
async fn destination(room: &Compute, cx: &Cx, project: &ProjectId, ask: &Ask) -> Read<Destination> {
    let target = Target::in_project(project);
    let mut destination = Destination { zone: None, host: None, is_forced: false };
    if let Some(text) = &ask.zone {
        let mut parts = text.split(':');
        destination.zone = parts.next().filter(|zone| !zone.is_empty()).map(str::to_owned);
        let hosts: Vec<&str> = parts.filter(|host| !host.is_empty()).collect();
        if let Some(host) = hosts.first() {
            cx.check(&policy::CREATE_FORCED_HOST, &target)?;
            destination.host = Some((*host).to_owned());
            destination.is_forced = true;
        }
        if destination.zone.as_deref().is_some_and(|zone| zone != ZONE) {
            return Err(Fault::bad_request(format!("The requested availability zone is not available. There is one: {ZONE}.")));
        }
    }
    if let Some(host) = &ask.host {
        cx.check(&policy::CREATE_ON_HOST, &target)?;
        if destination.host.is_some() {
            return Err(Fault::bad_request("A host is named twice: by availability_zone and by host."));
        }
        destination.host = Some(host.clone());
    }
    if let Some(host) = &destination.host {
        let known = room.nodes.list().await?.iter().any(|node| node.hostname == *host);
        if !known {
            return Err(Fault::bad_request(format!("Compute host {host} could not be found.")));
        }
    }
    Ok(destination)
}

/// A new server, and what it begins with.
#[derive(Clone)]
struct New {
    server: Server,
    nics: Vec<NicAsk>,
    volumes: Vec<Attached>,
}

async fn find_root_image(room: &Compute, project: &ProjectId, ask: &Ask) -> Read<Option<ImageFacts>> {
    match &ask.image {
        Some(id) => find_image(room, project, id).await.map(Some),
        None => Ok(None),
    }
}

/// What it is made of: the image on a disk of its own, or what is on the volume from which it boots.
fn root(cx: &Cx, size: &Size, image: Option<&ImageFacts>, volumes: &[Attached]) -> Read<(ImageId, ImageNote)> {
    if let Some(image) = image {
        check_sizes(size, image)?;
        return Ok((image.id.clone(), note_of(image, snapshot::inherited(cx.caller()?, image))));
    }
    let root = volumes.iter().find(|volume| volume.boots);
    let (id, note) = root.map(volume::create::image_of).ok_or_else(|| Fault::bad_request("Invalid imageRef provided."))?;
    if note.min_ram > size.memory_mb {
        return Err(Fault::bad_request("Flavor's memory is too small for requested image."));
    }
    Ok((id, note))
}

/// The image, if a server of this project may boot from it.
pub(super) async fn find_image(room: &Compute, project: &ProjectId, id: &ImageId) -> Read<ImageFacts> {
    let image = room.images.get(Some(project), id).await.map_err(|refusal| match refusal.kind {
        RefusalKind::NotFound => Fault::bad_request(format!("Image {id} could not be found.")),
        _ => refusal.into(),
    })?;
    if image.status != "active" {
        return Err(Fault::bad_request(format!("Image {id} is not active: its status is {}.", image.status)));
    }
    if !BOOTABLE.contains(&image.disk_format.as_str()) {
        let message = format!("Image {id} is unacceptable: no server boots from the format {}.", image.disk_format);
        return Err(Fault::bad_request(message));
    }
    if CLOSED.contains(&image.container_format.as_str()) {
        return Err(Fault::bad_request(format!(
            "Image {id} is unacceptable: its disk is in a container of the format {}; no server boots from inside one.",
            image.container_format
        )));
    }
    Ok(image)
}

/// A server can boot from it.
pub(super) fn is_bootable(image: &ImageFacts) -> bool {
    image.status == "active"
        && BOOTABLE.contains(&image.disk_format.as_str())
        && !CLOSED.contains(&image.container_format.as_str())
}

/// The flavor and the keypair, from our own tables.
async fn find_ours(room: &Compute, cx: &Cx, ask: &Ask) -> Read<(Flavor, Option<Keypair>)> {
    let viewer = flavor::viewer(cx);
    let (flavor_id, key_name, user) = (ask.flavor.clone(), ask.key_name.clone(), cx.caller()?.user.id.clone());
    let found = room
        .store
        .read(move |tx| -> Result<_> {
            let flavor = flavor::table::get(tx, &viewer, &flavor_id)?;
            let keypair = key_name.as_deref().map(|name| keypair::table::get(tx, &user, name)).transpose();
            let keypair = keypair.map_err(|error| match (error, &key_name) {
                (Error::Refused(refusal), Some(_)) if refusal.kind == RefusalKind::NotFound => {
                    Error::invalid("Invalid key_name provided.")
                }
                (error, _) => error,
            })?;
            Ok((flavor, keypair))
        })
        .await;
    // What the body names and is not there is a wrong body, not a wrong path.
    found.map_err(|error: Error| match error {
        Error::Refused(refusal) if refusal.kind == RefusalKind::NotFound => Fault::bad_request(refusal.message),
        error => error.into(),
    })
}

async fn plan_nics(room: &Compute, cx: &Cx, ask: &Ask) -> Read<Vec<NicAsk>> {
    let Networks::Wishes(list) = &ask.networks else { return Ok(Vec::new()) };
    let wishes: Vec<NicWish> = list.iter().map(|(wish, _)| wish.clone()).collect();
    let planned = room.ports.plan(cx.caller()?, &wishes, &ask.security_groups).await;
    // An address that is taken is a wrong body to Nova; a port that is taken is not.
    let names_port = wishes.iter().any(|wish| matches!(wish, NicWish::Port(_)));
    let names_address = wishes.iter().any(|wish| matches!(wish, NicWish::Network { fixed_ip: Some(_), .. }));
    let mut nics = planned.map_err(|refusal| match refusal.kind {
        RefusalKind::NotFound => Fault::bad_request(refusal.message),
        RefusalKind::Conflict if names_address && !names_port => Fault::bad_request(refusal.message),
        _ => refusal.into(),
    })?;
    for (nic, (_, tag)) in nics.iter_mut().zip(list) {
        nic.tag = tag.clone().or(nic.tag.take());
    }
    Ok(nics)
}

pub(super) fn check_sizes(size: &Size, image: &ImageFacts) -> Read<()> {
    if image.min_ram > size.memory_mb {
        return Err(Fault::bad_request(format!(
            "Flavor's memory is too small for requested image. Flavor memory is {} MiB, image's minimum is {} MiB.",
            size.memory_mb, image.min_ram
        )));
    }
    if size.disk_gb == 0 {
        return Ok(());
    }
    if image.min_disk > size.disk_gb || image.virtual_size > size.disk_gb << 30 {
        return Err(Fault::bad_request(format!(
            "Flavor's disk is too small for requested image. Flavor disk is {} bytes, the image's disk is {} bytes and its minimum {} GiB.",
            size.disk_gb << 30,
            image.virtual_size,
            image.min_disk
        )));
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn template(
    cx: &Cx,
    project: &ProjectId,
    ask: &Ask,
    destination: Destination,
    flavor: &Flavor,
    (image_id, image): (ImageId, ImageNote),
    keypair: Option<&Keypair>,
    admin_password: &Secret<String>,
) -> Read<Server> {
    let now = Timestamp::now();
    Ok(Server {
        id: ServerId::generate(),
        seq: 0,
        revision: 0,
        project_id: project.clone(),
        user_id: cx.caller()?.user.id.clone(),
        name: ask.name.clone(),
        hostname: ask.hostname.clone().unwrap_or_default(),
        description: ask.description.clone(),
        reservation_id: format!("r-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]),
        launch_index: 0,
        created_at: now,
        updated_at: now,
        launched_at: None,
        deleting_at: None,
        deleted_at: None,
        generation: Generation(1),
        power: Power::Running,
        reboots: 0,
        reboot_kind: Reboot::Soft,
        zone: destination.zone,
        wanted_host: destination.host,
        host_is_forced: destination.is_forced,
        life: Life::New,
        node_id: None,
        host: None,
        tried: Vec::new(),
        fault: None,
        marked_error: false,
        found: None,
        found_generation: Generation(0),
        found_reboots: 0,
        status: String::new(),
        vm_state: String::new(),
        task_state: None,
        power_state: 0,
        flavor_id: flavor.id.clone(),
        flavor: flavor.size.clone(),
        image_id,
        image,
        key_name: keypair.map(|keypair| keypair.name.clone()),
        public_key: keypair.map(|keypair| keypair.public_key.clone()),
        user_data: ask.user_data.clone(),
        admin_password: Some(admin_password.clone()),
        config_drive: ask.config_drive,
        disk_config: ask.disk_config.clone(),
        access_ip_v4: ask.access_ip_v4.clone(),
        access_ip_v6: ask.access_ip_v6.clone(),
        metadata: ask.metadata.clone(),
        tags: ask.tags.clone(),
        security_groups: if ask.security_groups.is_empty() { vec!["default".to_owned()] } else { ask.security_groups.clone() },
        locked_by: None,
        locked_reason: None,
        guest_password: None,
        root_tag: ask.disks.root_tag.clone(),
        root_edition: 0,
        operation: None,
    })
}

/// What a server keeps of its image.
pub(super) fn note_of(image: &ImageFacts, properties: BTreeMap<String, String>) -> ImageNote {
    ImageNote {
        sha512: image.sha512.clone(),
        format: image.disk_format.clone(),
        size: image.size,
        virtual_size: image.virtual_size,
        arch: image.properties.get("hw_architecture").or(image.properties.get("architecture")).cloned(),
        min_disk: image.min_disk,
        min_ram: image.min_ram,
        properties,
    }
}

/// So many servers after one template, each with ports of its own.
fn several(template: &Server, nics: &[NicAsk], volumes: &[Attached], count: i64) -> Vec<New> {
    (0..count)
        .map(|index| {
            let mut server = template.clone();
            let (mut nics, mut volumes) = (nics.to_vec(), volumes.to_vec());
            if index > 0 {
                server.id = ServerId::generate();
                volumes = volume::create::another(&volumes);
                nics.iter_mut().filter(|nic| nic.made_by_compute).for_each(|nic| nic.port_id = PortId::generate());
            }
            if count > 1 {
                server.name = format!("{}-{}", template.name, index + 1);
                if !template.hostname.is_empty() {
                    server.hostname = format!("{}-{}", template.hostname, index + 1);
                }
            }
            if server.hostname.is_empty() {
                server.hostname = hostname::from_name(&server.name, &server.id);
            }
            server.launch_index = u32::try_from(index).unwrap_or(u32::MAX);
            New { server, nics, volumes }
        })
        .collect()
}

fn answer(cx: &Cx, ask: &Ask, server: &Server, admin_password: &Secret<String>) -> Reply {
    if ask.return_reservation_id {
        return api::accepted(&json!({"reservation_id": server.reservation_id}));
    }
    let groups: Vec<_> = server.security_groups.iter().map(|name| BTreeMap::from([("name", name)])).collect();
    let links = links::links(cx, "servers", server.id.as_str());
    let mut response = api::accepted(&json!({"server": {
        "id": server.id,
        "links": links,
        "OS-DCF:diskConfig": server.disk_config,
        "security_groups": groups,
        "adminPass": admin_password.reveal(),
    }}))?;
    if let Ok(location) = HeaderValue::from_str(&cx.url(&format!("/v2.1/servers/{}", server.id))) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Twelve characters that are not mistaken for one another.
pub(super) fn generate_password() -> Read<String> {
    const ALPHABET: &[u8; 54] = b"23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWX";
    let mut bytes = [0u8; 64];
    getrandom::fill(&mut bytes).map_err(Fault::internal)?;
    // Bytes beyond the last whole multiple are passed over, so that no character is likelier than another.
    let even = bytes.iter().filter(|byte| usize::from(**byte) < ALPHABET.len() * 4);
    Ok(even.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).take(12).collect())
}
