// SPDX-License-Identifier: Apache-2.0
//! Snapshots as the API shows them.

use access::{Policy, Target};
use api::{Cx, Shown, attributes};
use serde::{Serialize, Serializer, ser::SerializeMap};
use types::Microversion;

use super::Snapshot;
use crate::{snapshot::policy, versions::v, volume::state::Life};

/// A snapshot in the eyes of a request.
pub(super) struct View<'a> {
    pub cx: &'a Cx,
    pub snapshot: &'a Snapshot,
    pub is_brief: bool,
    /// Not the answer to a change of it: Cinder leaves out there what its extensions add.
    pub is_looked_at: bool,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, policy: &'static Policy) -> bool {
        self.cx.may(policy, &Target::in_project(&self.snapshot.project_id))
    }
}

attributes! {
    /// What a list tells of a snapshot.
    BRIEF, fn briefly(it: &View<'_>);
    "id" => it.snapshot.id,
    "name" => it.snapshot.name,
    "description" => it.snapshot.description,
    "created_at" => it.snapshot.created_at.naive_micros(),
    "updated_at" => it.snapshot.updated_at.map(types::Timestamp::naive_micros),
    "size" => it.snapshot.size,
    "status" => it.snapshot.status,
    "volume_id" => it.snapshot.volume_id,
    "metadata" => it.snapshot.metadata,
    "group_snapshot_id" since(v(14)) => it.snapshot.group_snapshot_id,
    "user_id" since(v(41)) => it.snapshot.user_id,
    "consumes_quota" since(v(65)) => true,
}

attributes! {
    /// What one sees beside that of a single one, and in a list with details.
    FULL, fn fully(it: &View<'_>);
    "os-extended-snapshot-attributes:progress" by(policy::EXTENDED) if it.is_looked_at => it.progress(),
    "os-extended-snapshot-attributes:project_id" by(policy::EXTENDED) if it.is_looked_at => it.snapshot.project_id,
}

impl View<'_> {
    fn progress(&self) -> &str {
        let found = if self.snapshot.life == Life::There { "100%" } else { "0%" };
        self.snapshot.progress.as_deref().unwrap_or(found)
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        briefly(self, &mut map)?;
        if !self.is_brief {
            fully(self, &mut map)?;
        }
        map.end()
    }
}
