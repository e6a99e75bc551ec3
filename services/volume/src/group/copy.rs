// SPDX-License-Identifier: Apache-2.0
//! A group that is made of another, or of a snapshot of one: with a copy of each of its volumes.

use std::{collections::BTreeMap, sync::Arc};

use access::{Allowed, Scope};
use api::{Cx, Fault, Reply};
use http::StatusCode;
use serde_json::json;
use store::{Actor, Tx};
use types::{ProjectId, Timestamp, UserId, VolumeId};

use super::{Group, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    group_snapshot,
    input::argument,
    quota, snapshot,
    volume::{
        self, Volume,
        create::{self, From, Wish},
    },
};

/// Who copies, and how the copy is called.
struct Copyist {
    allowed: Allowed<Scope>,
    actor: Actor,
    project: ProjectId,
    user: UserId,
    name: Option<String>,
    description: Option<String>,
}

pub(super) async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "create-from-src").await?;
    let (name, description) = (ask.label("name")?.flatten(), ask.label("description")?.flatten());
    let (snapshot, group) = (ask.id("group_snapshot_id")?, ask.id("source_group_id")?);
    ask.finish()?;
    if snapshot.is_some() == group.is_some() {
        return Err(Fault::bad_request("A group is made of one thing: say group_snapshot_id or source_group_id."));
    }
    let (project, user) = (cx.project()?.clone(), cx.caller()?.user.id.clone());
    let copyist = Copyist { allowed: cx.allowed()?.clone(), actor: cx.actor(), project, user, name, description };
    let write = room.store.write(move |tx| match (&snapshot, &group) {
        (Some(snapshot), _) => copyist.of_snapshot(tx, snapshot),
        (None, Some(group)) => copyist.of_group(tx, group),
        (None, None) => Err(Error::invalid("There is nothing to make a group of.")),
    });
    let (made, volumes) = write.await?;
    volumes.iter().for_each(|volume| room.tell(volume));
    api::json(StatusCode::ACCEPTED, &json!({"group": made.brief()}))
}

impl Copyist {
    fn of_snapshot(&self, tx: &mut Tx, id: &str) -> Result<(Group, Vec<Volume>)> {
        let whole = group_snapshot::table::get(tx, &self.allowed, id)?;
        let of = table::get(tx, &self.allowed, &whole.group_id)?;
        let parts = snapshot::table::of_group(tx, id)?;
        let sources = parts.into_iter().map(|part| From::Snapshot(part.id)).collect();
        let group = Group { group_snapshot_id: Some(whole.id), ..self.group(&of) };
        self.make(tx, group, sources)
    }

    fn of_group(&self, tx: &mut Tx, id: &str) -> Result<(Group, Vec<Volume>)> {
        let of = table::get(tx, &self.allowed, id)?;
        let volumes = volume::table::rows(tx, &volume::table::select().filter("group_id = ", id))?;
        let sources = volumes.into_iter().map(|volume| From::Volume(volume.id)).collect();
        let group = Group { source_group_id: Some(of.id.clone()), ..self.group(&of) };
        self.make(tx, group, sources)
    }

    fn group(&self, of: &Group) -> Group {
        Group {
            id: uuid::Uuid::new_v4().to_string(),
            project_id: self.project.clone(),
            user_id: self.user.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            group_snapshot_id: None,
            source_group_id: None,
            forced_status: None,
            deleting_at: None,
            revision: 1,
            created_at: Timestamp::now(),
            ..of.clone()
        }
    }

    fn make(&self, tx: &mut Tx, group: Group, sources: Vec<From>) -> Result<(Group, Vec<Volume>)> {
        if sources.is_empty() {
            return Err(Error::invalid("Invalid group: its source holds no volumes. No group will be created."));
        }
        quota::check_group(tx, &self.project)?;
        table::insert(tx, &self.actor, &group)?;
        let mut volumes = Vec::new();
        for from in sources {
            let wish = Wish {
                id: VolumeId::generate(),
                project: self.project.clone(),
                user: self.user.clone(),
                name: None,
                description: None,
                metadata: BTreeMap::new(),
                volume_type: None,
                size: None,
                group: Some(group.id.clone()),
                from,
                allowed: self.allowed.clone(),
            };
            volumes.push(create::insert(tx, &self.actor, &wish)?);
        }
        Ok((group, volumes))
    }
}
