// SPDX-License-Identifier: Apache-2.0
//! What all things of Neutron's API have in common.
//!
//! ```text
//!   mod.rs     Kept        a row in a table, that belongs to a project     get, find
//!   table.rs   Gathered    … with what hangs on it
//!              Managed     … made, changed and deleted
//!   api.rs     Shown       … has a view in the API                         list, show
//!              Served      … and may be written through it                 create, update, delete
//! ```
//! Who asks for what he may not see gets what Neutron gives him: a list is empty for whom its policy admits to nothing, and
//! one thing is not there. So the routes say `Access::Asks`, and the handlers ask.
//!
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
pub(crate) use kept::common_columns;

use crate::{
    Result, Room,
    input::Input,
    listing::{Attribute, Listing, TAG_FILTERS},
    settings::Settings,
    who::{self, Doer},
};

/// What the tables hold of it.
pub trait Gathered: Kept {
    /// The row with what its view shows beside it.
    type Found: Send + 'static;

    /// Applies the filters that are no plain column.
    fn narrow(select: Select, _listing: &Listing) -> Result<Select> {
        Ok(select)
    }

    /// Adds what views show beside the rows, in as many statements for a thousand as for one.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Self::Found>>;

    fn with_rest_of_one(self, tx: &mut Tx) -> Result<Self::Found> {
        Ok(Self::with_rest(tx, vec![self])?.remove(0))
    }
}

/// What happens in the tables.
pub trait Managed: Gathered {
    type Create: Send + Sync + 'static;
    type Update: Send + Sync + 'static;

    /// The proof is of the very thing that shall be made.
    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Self::Create>) -> Result<Self::Found>;

    /// The proof is of the row as it is in this transaction, of the revision that the request demands.
    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Self::Update) -> Result<Self::Found>;

    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()>;
}

/// How it looks in the API.
pub trait Shown: Gathered {
    /// The key of one in a body.
    const ONE: &'static str;
    /// The key of a list in a body.
    const MANY: &'static str;
    const GET: &'static Policy;
    const ATTRIBUTES: &'static [Attribute];

    type View: Serialize + Send + Sync;

    /// The filters of its lists that are no plain column.
    const FILTERS: &'static [&'static str] = &TAG_FILTERS;

    /// What a list request asks for; `None` if nothing can match it.
    fn listing(cx: &Cx) -> Result<Option<Listing>, Fault> {
        Listing::read(cx, Self::ATTRIBUTES, Self::FILTERS).map(Some)
    }

    fn view(room: &Room, cx: &Cx, found: Self::Found) -> Self::View;

    /// What a rule may ask about it.
    fn target(&self, _tx: &mut Tx) -> Result<Target> {
        Ok(Target::in_project(self.project_id()))
    }
}

/// What a request may say of it, and who may.
pub trait Served: Shown + Managed {
    const CREATE: &'static Policy;
    const UPDATE: &'static Policy;
    const DELETE: &'static Policy;

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
}

/// What the handlers here ask on every route of a kind: whether one sees the thing, and whose ports an error may name to him.
pub fn asked<R: Shown>() -> [&'static Policy; 2] {
    [R::GET, &who::SEE_PORTS]
}

/// By whom something is made or changed, and under which settings.
pub struct By {
    pub doer: Doer,
    pub settings: Arc<Settings>,
}

impl By {
    pub fn new(room: &Room, doer: Doer) -> Self {
        Self { doer, settings: room.settings.clone() }
    }
}
