// SPDX-License-Identifier: Apache-2.0
//! A server's row, in both directions.

use contracts::node::{Power, RebootKind};
use serde_json::json;
use store::{Row, Tx, params};
use types::{Generation, Secret};

use super::{
    Server,
    state::{Found, Phase},
};
use crate::error::Result;

pub(crate) const COLUMNS: &str = "id, seq, project_id, user_id, name, hostname, description, reservation_id, launch_index, \
    created_at, updated_at, launched_at, deleting_at, deleted_at, \
    generation, power, reboots, reboot_kind, zone, wanted_host, host_is_forced, \
    phase, node_id, host, tried, fault, marked_error, \
    found, found_generation, found_reboots, \
    flavor_id, flavor, image_id, image, key_name, public_key, user_data, admin_password, config_drive, disk_config, \
    access_ip_v4, access_ip_v6, metadata, tags, security_groups, locked_by, locked_reason, snapshot, \
    guest_password, root_tag";

pub(crate) fn from_row(row: &Row) -> store::Result<Server> {
    Ok(Server {
        id: row.get(0)?,
        seq: row.get(1)?,
        project_id: row.get(2)?,
        user_id: row.get(3)?,
        name: row.get(4)?,
        hostname: row.get(5)?,
        description: row.get(6)?,
        reservation_id: row.get(7)?,
        launch_index: row.get(8)?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
        launched_at: row.get(11)?,
        deleting_at: row.get(12)?,
        deleted_at: row.get(13)?,
        generation: Generation(row.get(14)?),
        power: match row.get::<&str>(15)? {
            "stopped" => Power::Stopped,
            "paused" => Power::Paused,
            _ => Power::Running,
        },
        reboots: row.get(16)?,
        reboot_kind: if row.get::<&str>(17)? == "hard" { RebootKind::Hard } else { RebootKind::Soft },
        zone: row.get(18)?,
        wanted_host: row.get(19)?,
        host_is_forced: row.get(20)?,
        // A word that this version does not know was written by a newer one; the store refuses to open such tables.
        phase: Phase::parse(row.get(21)?).unwrap_or(Phase::Failed),
        node_id: row.get(22)?,
        host: row.get(23)?,
        tried: row.json(24)?,
        fault: row.json(25)?,
        marked_error: row.get(26)?,
        found: row.get::<Option<&str>>(27)?.and_then(Found::parse),
        found_generation: Generation(row.get(28)?),
        found_reboots: row.get(29)?,
        flavor_id: row.get(30)?,
        flavor: row.json(31)?,
        image_id: row.get(32)?,
        image: row.json(33)?,
        key_name: row.get(34)?,
        public_key: row.get(35)?,
        user_data: row.get::<Option<String>>(36)?.map(Secret::new),
        admin_password: row.get::<Option<String>>(37)?.map(Secret::new),
        config_drive: row.get(38)?,
        disk_config: row.get(39)?,
        access_ip_v4: row.get(40)?,
        access_ip_v6: row.get(41)?,
        metadata: row.json(42)?,
        tags: row.json(43)?,
        security_groups: row.json(44)?,
        locked_by: row.get(45)?,
        locked_reason: row.get(46)?,
        snapshot: row.json(47)?,
        guest_password: row.get::<Option<String>>(48)?.map(Secret::new),
        root_tag: row.get(49)?,
    })
}

/// Inserts a new server; its `seq` is chosen here.
pub(crate) fn insert(tx: &mut Tx, server: &Server) -> Result<()> {
    let seq: i64 = tx.query_one("SELECT coalesce(max(seq), 0) + 1 FROM servers", &[])?.get(0)?;
    tx.execute(
        "INSERT INTO servers (id, seq, project_id, user_id, name, hostname, description, reservation_id, launch_index, \
         created_at, updated_at, generation, power, reboots, reboot_kind, zone, wanted_host, host_is_forced, phase, phase_at, \
         tried, marked_error, found_generation, found_reboots, found_current, vcpus, memory_mb, flavor_id, flavor, image_id, \
         image, key_name, public_key, user_data, admin_password, config_drive, disk_config, access_ip_v4, access_ip_v6, \
         metadata, tags, security_groups, root_tag) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, 0, 'soft', $13, $14, $15, $16, $10, '[]', 0, 0, 0, 0, \
         $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)",
        &params![
            &server.id,
            seq,
            &server.project_id,
            &server.user_id,
            &server.name,
            &server.hostname,
            server.description.clone(),
            &server.reservation_id,
            server.launch_index,
            server.created_at,
            server.generation.0,
            power_word(server.power),
            server.zone.clone(),
            server.wanted_host.clone(),
            server.host_is_forced,
            server.phase.word(),
            server.flavor.vcpus,
            server.flavor.memory_mb,
            &server.flavor_id,
            json!(server.flavor),
            &server.image_id,
            json!(server.image),
            server.key_name.clone(),
            server.public_key.clone(),
            server.user_data.as_ref().map(|data| data.reveal().clone()),
            server.admin_password.as_ref().map(|password| password.reveal().clone()),
            server.config_drive,
            &server.disk_config,
            server.access_ip_v4.clone(),
            server.access_ip_v6.clone(),
            json!(server.metadata),
            json!(server.tags),
            json!(server.security_groups),
            server.root_tag.clone()
        ],
    )?;
    Ok(())
}

pub(crate) fn power_word(power: Power) -> &'static str {
    match power {
        Power::Running => "running",
        Power::Stopped => "stopped",
        Power::Paused => "paused",
    }
}
