// SPDX-License-Identifier: Apache-2.0
//! Volumes as the API shows them.

use std::collections::HashMap;

use access::{Policy, Target};
use api::{Cx, Shown, attributes};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use store::Tx;
use types::{Microversion, VolumeId};

use super::Volume;
use crate::{
    BlockStorage,
    attachment::{self, Attachment},
    error::Result,
    links,
    versions::v,
    volume::policy,
    volume_type,
};

/// What a page of volumes is seen with beside their rows, read in a constant number of statements.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sight {
    attachments: HashMap<VolumeId, Vec<Attachment>>,
    types: HashMap<String, String>,
}

impl Sight {
    /// The further questions that a view asks, for the routes.
    pub(crate) const ASKS: [&'static Policy; 3] = [&policy::HOST, &policy::TENANT, &policy::MIG_STATUS];

    pub(crate) async fn of(room: &BlockStorage, volumes: &[Volume]) -> Result<Self> {
        let ids: Vec<VolumeId> = volumes.iter().map(|volume| volume.id.clone()).collect();
        room.store.list(move |tx| Self::read(tx, &ids)).await
    }

    fn read(tx: &mut Tx, ids: &[VolumeId]) -> Result<Self> {
        Ok(Self { attachments: attachment::table::of_volumes(tx, ids)?, types: volume_type::table::names(tx)? })
    }
}

/// A volume in the eyes of a request.
pub(crate) struct View<'a> {
    pub cx: &'a Cx,
    pub sight: &'a Sight,
    pub volume: &'a Volume,
    pub is_brief: bool,
    /// Not the answer to a change of it: Cinder leaves out there what its extensions add.
    pub is_looked_at: bool,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, policy: &'static Policy) -> bool {
        self.cx.may(policy, &Target::in_project(&self.volume.project_id))
    }
}

attributes! {
    /// What a list tells of a volume.
    BRIEF, fn briefly(it: &View<'_>);
    "id" => it.volume.id,
    "name" => it.volume.name,
    "links" => links::links(it.cx, "volumes", it.volume.id.as_str()),
}

attributes! {
    /// All of it.
    FULL, fn fully(it: &View<'_>);
    "attachments" => it.attachments(),
    "availability_zone" => it.volume.zone,
    "bootable" => if it.volume.bootable { "true" } else { "false" },
    "consistencygroup_id" => Value::Null,
    "created_at" => it.volume.created_at.naive_micros(),
    "description" => it.volume.description,
    "encrypted" => false,
    "metadata" => it.metadata(),
    "migration_status" by(policy::MIG_STATUS) => Value::Null,
    "multiattach" => false,
    "os-vol-host-attr:host" by(policy::HOST) if it.is_looked_at => it.volume.host,
    "os-vol-mig-status-attr:migstat" by(policy::MIG_STATUS) if it.is_looked_at => Value::Null,
    "os-vol-mig-status-attr:name_id" by(policy::MIG_STATUS) if it.is_looked_at => Value::Null,
    "os-vol-tenant-attr:tenant_id" by(policy::TENANT) if it.is_looked_at => it.volume.project_id,
    "replication_status" => Value::Null,
    "size" => it.volume.size,
    "snapshot_id" => it.volume.origin.snapshot(),
    "source_volid" => it.volume.origin.volume(),
    "status" => it.volume.status,
    "updated_at" => it.volume.updated_at.map(types::Timestamp::naive_micros),
    "user_id" => it.volume.user_id,
    "volume_type" => it.sight.types.get(&it.volume.type_id),
    "volume_image_metadata" if it.is_looked_at && !it.volume.image_metadata.is_empty() => it.volume.image_metadata,
    "group_id" since(v(13)) => it.volume.group_id,
    "provider_id" since(v(21)) by(policy::HOST) => Value::Null,
    "service_uuid" since(v(48)) => it.volume.node_id,
    "shared_targets" since(v(48)) => false,
    "cluster_name" since(v(61)) by(policy::HOST) => Value::Null,
    "volume_type_id" since(v(63)) => it.volume.type_id,
    "consumes_quota" since(v(65)) => true,
}

impl View<'_> {
    /// Those that are somebody's by now.
    fn attachments(&self) -> Vec<Value> {
        let of = self.sight.attachments.get(&self.volume.id).map(Vec::as_slice).unwrap_or_default();
        let view = |attachment: &Attachment| {
            json!({
                "id": attachment.volume_id,
                "attachment_id": attachment.id,
                "volume_id": attachment.volume_id,
                "server_id": attachment.server_id,
                "host_name": if self.may(&policy::HOST) { attachment.host.as_deref() } else { None },
                "device": attachment.device,
                "attached_at": attachment.attached_at.map(types::Timestamp::naive_micros),
            })
        };
        of.iter().filter(|attachment| attachment.is_attached()).map(view).collect()
    }

    /// Cinder tells of the flag for reading among the metadata.
    fn metadata(&self) -> Value {
        let mut metadata = json!(self.volume.metadata);
        if self.volume.says_read_only {
            metadata["readonly"] = json!(if self.volume.read_only { "True" } else { "False" });
        }
        metadata
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        briefly(self, &mut map)?;
        if !self.is_brief {
            fully(self, &mut map)?;
        }
        map.end()
    }
}
