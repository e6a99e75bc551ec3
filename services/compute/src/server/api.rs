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
use crate::{Compute, server::policy, versions::v};

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
const CONSOLES: &str = "/v2.1/servers/{id}/remote-consoles";
const CONSOLE_TOKEN: &str = "/v2.1/os-console-auth-tokens/{token}";
const VOLUMES: &str = "/v2.1/servers/{id}/os-volume_attachments";
const VOLUME: &str = "/v2.1/servers/{id}/os-volume_attachments/{volume}";

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(SERVERS, &policy::INDEX, list::list)
        .asking(&[&policy::INDEX_ALL, &policy::ALL_FILTERS])
        .post(SERVERS, &policy::CREATE, create::create)
        .asking(&[&policy::CREATE_FORCED_HOST, &policy::CREATE_ON_HOST, &crate::flavor::policy::CREATE])
        .get(DETAIL, &policy::DETAIL, list::list_detail)
        .asking(&[&policy::DETAIL_ALL, &policy::ALL_FILTERS])
        .get(SERVER, &policy::SHOW, show)
        .put(SERVER, &policy::UPDATE, update::update)
        .delete(SERVER, &policy::DELETE, action::delete)
        .action(ACTION, "os-start", &policy::START, action::start)
        .action(ACTION, "os-stop", &policy::STOP, action::stop)
        .action(ACTION, "reboot", &policy::REBOOT, action::reboot)
        .action(ACTION, "pause", &policy::PAUSE, action::pause)
        .action(ACTION, "unpause", &policy::UNPAUSE, action::unpause)
        .action(ACTION, "rebuild", &policy::REBUILD, rebuild::rebuild)
        .action(ACTION, "rescue", &policy::RESCUE, rescue::rescue)
        .action(ACTION, "unrescue", &policy::UNRESCUE, rescue::unrescue)
        .action(ACTION, "resize", &policy::RESIZE, resize::resize)
        .asking(&[&crate::flavor::policy::CREATE])
        .action(ACTION, "confirmResize", &policy::CONFIRM_RESIZE, resize::confirm)
        .action(ACTION, "revertResize", &policy::REVERT_RESIZE, resize::revert)
        .action(ACTION, "migrate", &policy::MIGRATE, resize::migrate)
        .asking(&[&policy::MIGRATE_HOST])
        .action(ACTION, "createImage", &policy::CREATE_IMAGE, snapshot::create)
        .action(ACTION, "forceDelete", &policy::FORCE_DELETE, action::delete)
        .action(ACTION, "os-resetState", &policy::RESET_STATE, action::reset_state)
        .action(ACTION, "lock", &policy::LOCK, action::lock)
        .action(ACTION, "unlock", &policy::UNLOCK, action::unlock)
        .action(ACTION, "os-getConsoleOutput", &policy::CONSOLE_OUTPUT, console::output)
        .action(ACTION, "os-getVNCConsole", &policy::REMOTE_CONSOLES, console::get_vnc)
        .until(v(5))
        .action(ACTION, "os-getSerialConsole", &policy::REMOTE_CONSOLES, console::get_serial)
        .until(v(5))
        .action(ACTION, "os-getSPICEConsole", &policy::REMOTE_CONSOLES, console::get_unavailable)
        .until(v(5))
        .post(CONSOLES, &policy::REMOTE_CONSOLES, console::create)
        .since(v(6))
        .get(CONSOLE_TOKEN, &policy::CONSOLE_AUTH_TOKENS, console::auth_token)
        .action(ACTION, "changePassword", &policy::PASSWORD, action::change_password)
        .get(METADATA, &policy::METADATA_INDEX, metadata::list)
        .post(METADATA, &policy::METADATA_CREATE, metadata::add)
        .put(METADATA, &policy::METADATA_UPDATE_ALL, metadata::replace)
        .get(ITEM, &policy::METADATA_SHOW, metadata::show)
        .put(ITEM, &policy::METADATA_UPDATE, metadata::set)
        .delete(ITEM, &policy::METADATA_DELETE, metadata::delete)
        .get(TAGS, &policy::TAGS_INDEX, tags::list)
        .since(v(26))
        .put(TAGS, &policy::TAGS_UPDATE_ALL, tags::replace)
        .since(v(26))
        .delete(TAGS, &policy::TAGS_DELETE_ALL, tags::clear)
        .since(v(26))
        .get(TAG, &policy::TAGS_SHOW, tags::show)
        .since(v(26))
        .put(TAG, &policy::TAGS_UPDATE, tags::add)
        .since(v(26))
        .delete(TAG, &policy::TAGS_DELETE, tags::delete)
        .since(v(26))
        .get(IPS, &policy::IPS_INDEX, interfaces::ips)
        .get(NETWORK_IPS, &policy::IPS_SHOW, interfaces::ips_of_network)
        .get(INTERFACES, &policy::INTERFACES_LIST, interfaces::list)
        .get(INTERFACE, &policy::INTERFACES_SHOW, interfaces::show)
        .post(INTERFACES, &policy::INTERFACES_CREATE, attach::attach)
        .delete(INTERFACE, &policy::INTERFACES_DELETE, attach::detach)
        .get(VOLUMES, &policy::VOLUMES_INDEX, volume::api::list)
        .post(VOLUMES, &policy::VOLUMES_CREATE, volume::api::attach)
        .get(VOLUME, &policy::VOLUMES_SHOW, volume::api::show)
        .put(VOLUME, &policy::VOLUMES_UPDATE, volume::api::update)
        .delete(VOLUME, &policy::VOLUMES_DELETE, volume::api::detach)
        .get(PASSWORD, &policy::GUEST_PASSWORD_SHOW, guest_password::show)
        .delete(PASSWORD, &policy::GUEST_PASSWORD_CLEAR, guest_password::clear)
        .each_asking(&[&policy::UNLOCK_OVERRIDE])
        .each_asking(&Sight::ASKS)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), ServerId::new(cx.param("id")));
    let server = room.store.read(move |tx| table::get(tx, &allowed, &id)).await?;
    let sight = Sight::of(&room, &cx, std::slice::from_ref(&server)).await?;
    api::json(StatusCode::OK, &Document { server: Detail { cx: &cx, sight: &sight, server: &server, answer: Answer::One } })
}
