// SPDX-License-Identifier: Apache-2.0
//! A container goes, with what waits for parts in it and what is due.

use store::{Actor, Tx};

use super::table;
use crate::{
    Error, expiry,
    grant::{Granted, Owning},
    multipart::table as uploads,
};

/// Only an empty one goes: one that shows no object, whether or not those that are due have been removed by now.
pub fn delete(tx: &mut Tx, granted: &Granted<Owning>, actor: &Actor) -> Result<(), Error> {
    if let Some(gone) = table::by_name(tx, granted.project(), granted.container())? {
        expiry::clear(tx, &gone)?;
    }
    if let Some(gone) = table::by_name(tx, granted.project(), granted.container())?.filter(|gone| gone.objects == 0) {
        uploads::abort_all(tx, &gone)?;
    }
    table::delete(tx, granted, actor)
}
