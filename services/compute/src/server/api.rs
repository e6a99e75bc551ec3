// SPDX-License-Identifier: Apache-2.0
//! `/servers`: the table of its routes, and the plain reads.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use types::ServerId;

use super::{
    action, attach, console, create, guest_password, interfaces, list, metadata, rebuild, rescue, resize, snapshot, table, tags,
    update,
    view::{Answer, Detail, Document, Sight},
    volume,
};
use crate::{Compute, policy, versions::v};

const SERVERS: &str = "/v2.1/servers";
const DETAIL: &str = "/v2.1/servers/detail";
const SERVER: &str = "/v2.1/servers/{id}";
const ACTION: &str = "/v2.1/servers/{id}/action";
const METADATA: &str = "/v2.1/servers/{id}/metadata";
const ITEM: &str = "/v2.1/servers/{id}/metadata/{key}";
const TAGS: &str = "/v2.1/servers/{id}/tags";
const TAG: &str = "/v2.1/servers/{id}/tags/{tag}";
const IPS: &str = "/v2.1/servers/{id}/ips";
const NETWORK_IPS: &str = "/v2.1/servers/{id}/ips/{network}";
const INTERFACES: &str = "/v2.1/servers/{id}/os-interface";
const INTERFACE: &str = "/v2.1/servers/{id}/os-interface/{port}";
const PASSWORD: &str = "/v2.1/servers/{id}/os-server-password";
const VOLUMES: &str = "/v2.1/servers/{id}/os-volume_attachments";
const VOLUME: &str = "/v2.1/servers/{id}/os-volume_attachments/{volume}";

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(SERVERS, &policy::SERVER_INDEX, list::list)
        .asking(&[&policy::SERVER_INDEX_ALL, &policy::SERVER_ALL_FILTERS])
        .post(SERVERS, &policy::SERVER_CREATE, create::create)
        .asking(&[&policy::SERVER_CREATE_FORCED_HOST, &policy::SERVER_CREATE_ON_HOST, &policy::FLAVOR_CREATE])
        .get(DETAIL, &policy::SERVER_DETAIL, list::list_detail)
        .asking(&[&policy::SERVER_DETAIL_ALL, &policy::SERVER_ALL_FILTERS])
        .get(SERVER, &policy::SERVER_SHOW, show)
        .put(SERVER, &policy::SERVER_UPDATE, update::update)
        .delete(SERVER, &policy::SERVER_DELETE, action::delete)
        .action(ACTION, "os-start", &policy::SERVER_START, action::start)
        .action(ACTION, "os-stop", &policy::SERVER_STOP, action::stop)
        .action(ACTION, "reboot", &policy::SERVER_REBOOT, action::reboot)
        .action(ACTION, "pause", &policy::SERVER_PAUSE, action::pause)
        .action(ACTION, "unpause", &policy::SERVER_UNPAUSE, action::unpause)
        .action(ACTION, "rebuild", &policy::SERVER_REBUILD, rebuild::rebuild)
        .action(ACTION, "rescue", &policy::SERVER_RESCUE, rescue::rescue)
        .action(ACTION, "unrescue", &policy::SERVER_UNRESCUE, rescue::unrescue)
        .action(ACTION, "resize", &policy::SERVER_RESIZE, resize::resize)
        .asking(&[&policy::FLAVOR_CREATE])
        .action(ACTION, "confirmResize", &policy::SERVER_CONFIRM_RESIZE, resize::confirm)
        .action(ACTION, "revertResize", &policy::SERVER_REVERT_RESIZE, resize::revert)
        .action(ACTION, "migrate", &policy::SERVER_MIGRATE, resize::migrate)
        .asking(&[&policy::SERVER_MIGRATE_HOST])
        .action(ACTION, "createImage", &policy::SERVER_CREATE_IMAGE, snapshot::create)
        .action(ACTION, "forceDelete", &policy::SERVER_FORCE_DELETE, action::delete)
        .action(ACTION, "os-resetState", &policy::SERVER_RESET_STATE, action::reset_state)
        .action(ACTION, "lock", &policy::SERVER_LOCK, action::lock)
        .action(ACTION, "unlock", &policy::SERVER_UNLOCK, action::unlock)
        .action(ACTION, "os-getConsoleOutput", &policy::SERVER_CONSOLE_OUTPUT, console::output)
        .action(ACTION, "changePassword", &policy::SERVER_PASSWORD, action::change_password)
        .get(METADATA, &policy::SERVER_METADATA_INDEX, metadata::list)
        .post(METADATA, &policy::SERVER_METADATA_CREATE, metadata::add)
        .put(METADATA, &policy::SERVER_METADATA_UPDATE_ALL, metadata::replace)
        .get(ITEM, &policy::SERVER_METADATA_SHOW, metadata::show)
        .put(ITEM, &policy::SERVER_METADATA_UPDATE, metadata::set)
        .delete(ITEM, &policy::SERVER_METADATA_DELETE, metadata::delete)
        .get(TAGS, &policy::SERVER_TAGS_INDEX, tags::list)
        .since(v(26))
        .put(TAGS, &policy::SERVER_TAGS_UPDATE_ALL, tags::replace)
        .since(v(26))
        .delete(TAGS, &policy::SERVER_TAGS_DELETE_ALL, tags::clear)
        .since(v(26))
        .get(TAG, &policy::SERVER_TAGS_SHOW, tags::show)
        .since(v(26))
        .put(TAG, &policy::SERVER_TAGS_UPDATE, tags::add)
        .since(v(26))
        .delete(TAG, &policy::SERVER_TAGS_DELETE, tags::delete)
        .since(v(26))
        .get(IPS, &policy::SERVER_IPS_INDEX, interfaces::ips)
        .get(NETWORK_IPS, &policy::SERVER_IPS_SHOW, interfaces::ips_of_network)
        .get(INTERFACES, &policy::SERVER_INTERFACES_LIST, interfaces::list)
        .get(INTERFACE, &policy::SERVER_INTERFACES_SHOW, interfaces::show)
        .post(INTERFACES, &policy::SERVER_INTERFACES_CREATE, attach::attach)
        .delete(INTERFACE, &policy::SERVER_INTERFACES_DELETE, attach::detach)
        .get(VOLUMES, &policy::SERVER_VOLUMES_INDEX, volume::api::list)
        .post(VOLUMES, &policy::SERVER_VOLUMES_CREATE, volume::api::attach)
        .get(VOLUME, &policy::SERVER_VOLUMES_SHOW, volume::api::show)
        .put(VOLUME, &policy::SERVER_VOLUMES_UPDATE, volume::api::update)
        .delete(VOLUME, &policy::SERVER_VOLUMES_DELETE, volume::api::detach)
        .get(PASSWORD, &policy::GUEST_PASSWORD_SHOW, guest_password::show)
        .delete(PASSWORD, &policy::GUEST_PASSWORD_CLEAR, guest_password::clear)
        .each_asking(&[&policy::SERVER_UNLOCK_OVERRIDE])
        .each_asking(&Sight::ASKS)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), ServerId::new(cx.param("id")));
    let server = room.store.read(move |tx| table::get(tx, &allowed, &id)).await?;
    let sight = Sight::of(&room, &cx, std::slice::from_ref(&server)).await?;
    api::json(StatusCode::OK, &Document { server: Detail { cx: &cx, sight: &sight, server: &server, answer: Answer::One } })
}
