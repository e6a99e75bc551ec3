// SPDX-License-Identifier: Apache-2.0
//! Who makes a change and how far he sees, as the store functions need it.

use access::{Policy, Scope};
use api::Cx;
use store::{Actor, Change, Event, Result, Tx};
use types::ProjectId;

use crate::{
    reach::{Reach, reach},
    resource::Kept,
};

/// A port is named to whom it may show itself, in whatever drawer that comes up.
pub static SEE_PORTS: Policy = Policy::new(
    "get_port",
    "rule:project_reader_or_admin or rule:service_api",
    "See ports: one's own and those on one's own networks",
);

/// The author of a change.
#[derive(Clone)]
pub struct Doer {
    pub actor: Actor,
    /// Whose ports an error may name to him.
    pub sees: Scope,
}

impl Doer {
    pub fn of(cx: &Cx) -> std::result::Result<Self, api::Fault> {
        let sees = cx.scope(&SEE_PORTS)?.scope().clone();
        Ok(Self { actor: cx.actor(), sees })
    }

    pub fn system(name: &str) -> Self {
        Self { actor: Actor::system(name), sees: Scope::All }
    }

    /// A loop of the cloud that acts for a project, and tells it nothing that the project may not know.
    pub fn acting_for(name: &str, project: &ProjectId) -> Self {
        Self { actor: Actor::system(name), sees: Scope::Project(project.clone()) }
    }

    pub fn sees_project(&self, project: &str) -> bool {
        match reach(&self.sees) {
            Reach::All => true,
            Reach::Project(own) => own == project,
            Reach::Nothing => false,
        }
    }

    pub fn made<R: Kept>(&self, tx: &mut Tx, row: &R) -> Result<()> {
        self.record(tx, row, &Change::made(row))
    }

    pub fn changed<R: Kept>(&self, tx: &mut Tx, before: &R, after: &R) -> Result<()> {
        self.record(tx, after, &Change::changed(before, after))
    }

    pub fn removed<R: Kept>(&self, tx: &mut Tx, row: &R) -> Result<()> {
        self.record(tx, row, &Change::removed(row))
    }

    fn record<R: Kept>(&self, tx: &mut Tx, row: &R, change: &Change<&R>) -> Result<()> {
        let action = format!("{}.{}", R::KIND, change.verb());
        let event = Event::of(&self.actor, action, (R::KIND, row.id()), change)?;
        tx.record(event.of_project(row.project_id().to_string()))
    }
}
