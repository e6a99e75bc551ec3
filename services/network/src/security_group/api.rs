// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/security-groups`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes};

use super::{
    Row, View,
    table::{self, Create, Found, Update},
};
use crate::{
    Error, Room,
    input::{Input, READ_ONLY},
    listing::{Attribute, flag, number, text},
    resource::{self, Served, Shown},
    tag,
    who::Doer,
};

pub static GET: Policy = Policy::new("get_security_group", "rule:project_reader_or_admin", "See security groups");
pub static CREATE: Policy = Policy::new("create_security_group", "rule:project_member_or_admin", "Make a security group");
pub static UPDATE: Policy = Policy::new("update_security_group", "rule:project_member_or_admin", "Change a security group");
pub static DELETE: Policy = Policy::new("delete_security_group", "rule:project_member_or_admin", "Delete a security group");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/security-groups", Access::Asks(&GET), list)
        .post("/v2.0/security-groups", &CREATE, resource::create::<Row>)
        .get("/v2.0/security-groups/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/security-groups/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .delete("/v2.0/security-groups/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .join(tag::api::routes::<Row>("/v2.0/security-groups/{id}/tags", "/v2.0/security-groups/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 8] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    flag("stateful", "stateful"),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "security_group";
    const MANY: &'static str = "security_groups";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    type View = View;

    fn view(_room: &Room, _cx: &Cx, found: Found) -> View {
        View::new(found)
    }
}

impl Served for Row {
    const CREATE: &'static Policy = &CREATE;
    const UPDATE: &'static Policy = &UPDATE;
    const DELETE: &'static Policy = &DELETE;

    async fn read_create(_room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<(Create, Target), Fault> {
        input.fixed(&READ_ONLY)?;
        let project_id = input.owner(cx)?;
        let (name, description) = input.labels()?;
        let ask = Create {
            project_id,
            name: name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            stateful: input.flag("stateful")?.unwrap_or(true),
        };
        input.finish()?;
        let target = Target::in_project(&ask.project_id);
        Ok((ask, target))
    }

    async fn read_update(&self, _room: &Arc<Room>, _cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "security_group_rules"])?;
        let (name, description) = input.labels()?;
        let ask = Update { name, description, stateful: input.flag("stateful")? };
        input.finish()?;
        Ok(ask)
    }

    /// Only an administrator may delete a default group; it comes again when the project needs it.
    fn check_delete(&self, cx: &Cx) -> Result<(), Fault> {
        match self.is_default && !cx.scope(&DELETE)?.scope().is_all() {
            true => Err(Error::SecurityGroupCannotRemoveDefault { id: self.id.to_string() }.into()),
            false => Ok(()),
        }
    }
}

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    ensure_default(&room, &cx).await?;
    resource::list::<Row>(room, cx).await
}

/// A project finds its default group whenever it looks, also if it never made anything.
pub async fn ensure_default(room: &Arc<Room>, cx: &Cx) -> Result<(), Fault> {
    let (Ok(project), Ok(_)) = (cx.project(), cx.scope(&GET)) else { return Ok(()) };
    let project = project.clone();
    let looked_for = project.clone();
    if room.read(move |tx| table::has_default(tx, &looked_for)).await? {
        return Ok(());
    }
    let (doer, settings) = (Doer::of(cx)?, room.settings.clone());
    room.write(move |tx| table::ensure_default(tx, &doer, &project, &settings)).await
}
