// SPDX-License-Identifier: Apache-2.0
//! A container goes, with what waits for parts in it.

use store::{Actor, Tx};

use super::table;
use crate::{
    Error,
    grant::{Granted, Owning},
    multipart::table as uploads,
};

/// Only an empty one goes.
pub fn delete(tx: &mut Tx, granted: &Granted<Owning>, actor: &Actor) -> Result<(), Error> {
    if let Some(gone) = table::by_name(tx, granted.project(), granted.container())?.filter(|gone| gone.objects == 0) {
        uploads::abort_all(tx, &gone)?;
    }
    table::delete(tx, granted, actor)
}
