// SPDX-License-Identifier: Apache-2.0
//! What all things of Neutron's API have in common.
//!
//! ```text
//!   Kept     a row in a table, that belongs to a project          get, find
//!   Shown    … and has a view in the API                          list, show
//!   Managed  … and is made, changed and deleted through it        create, update, delete
//! ```
//! A drawer implements these for its row and says only what is its own: which columns, which attributes, which policies,
//! what a request may say, and what happens in the tables. Its `routes` lead to the handlers here.

mod handlers;
mod kept;

use std::{future::Future, sync::Arc};

use access::{Allowed, Policy, Target};
use api::{Cx, Fault};
use serde::Serialize;
use store::{Select, Tx};

pub use handlers::{create, delete, list, show, update, visible};
pub use kept::Kept;

use crate::{
    Result, Room,
    input::Input,
    listing::{Attribute, Listing},
    settings::Settings,
    who::Doer,
};

pub trait Shown: Kept {
    /// The key of one in a body.
    const ONE: &'static str;
    /// The key of a list in a body.
    const MANY: &'static str;
    const GET: &'static Policy;
    const ATTRIBUTES: &'static [Attribute];

    /// The row with what its view shows beside it.
    type Found: Send + 'static;
    type View: Serialize + Send + Sync;

    /// What a list request asks for; `None` if nothing can match it.
    fn listing(cx: &Cx) -> Result<Option<Listing>, Fault> {
        Listing::read(cx, Self::ATTRIBUTES, &[]).map(Some)
    }

    /// Applies the filters that are no plain column.
    fn narrow(select: Select, _listing: &Listing) -> Result<Select> {
        Ok(select)
    }

    /// Adds what views show beside the rows, in as many statements for a thousand as for one.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Self::Found>>;

    fn with_rest_of_one(self, tx: &mut Tx) -> Result<Self::Found> {
        Ok(Self::with_rest(tx, vec![self])?.remove(0))
    }

    fn view(room: &Room, cx: &Cx, found: Self::Found) -> Self::View;

    fn id_of(view: &Self::View) -> &str;

    /// What a rule may ask about it.
    fn target(&self, _tx: &mut Tx) -> Result<Target> {
        Ok(Target::in_project(self.project_id()))
    }
}

pub trait Managed: Shown {
    const CREATE: &'static Policy;
    const UPDATE: &'static Policy;
    const DELETE: &'static Policy;

    type Create: Send + Sync + 'static;
    type Update: Send + Sync + 'static;

    /// What a request wants to be made, and what a rule may ask about that.
    fn read_create(room: &Arc<Room>, cx: &Cx, input: Input)
    -> impl Future<Output = Result<(Self::Create, Target), Fault>> + Send;

    fn read_update(
        &self,
        room: &Arc<Room>,
        cx: &Cx,
        input: Input,
        target: &Target,
    ) -> impl Future<Output = Result<Self::Update, Fault>> + Send;

    /// What must hold beyond the policy before it is deleted.
    fn check_delete(&self, _cx: &Cx) -> Result<(), Fault> {
        Ok(())
    }

    fn create(tx: &mut Tx, by: &By, ask: &Self::Create) -> Result<Self::Found>;

    /// `self` is the row as it is in this transaction, of the revision that the request demands.
    fn update(&self, tx: &mut Tx, by: &By, ask: &Self::Update) -> Result<Self::Found>;

    fn delete(&self, tx: &mut Tx, by: &By) -> Result<()>;
}

/// By whom something is made or changed, with the proof that he may.
pub struct By {
    pub doer: Doer,
    pub settings: Arc<Settings>,
    _proof: Allowed<()>,
}

impl By {
    pub fn new(room: &Room, doer: Doer, proof: Allowed<()>) -> Self {
        Self { doer, settings: room.settings.clone(), _proof: proof }
    }
}
