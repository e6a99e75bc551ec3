// SPDX-License-Identifier: Apache-2.0
//! The options that projects, domains and roles share. There is one: what is immutable is neither changed nor deleted
//! until somebody says that it is immutable no more, so that it does not happen by mistake.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    body::{Extra, present},
    error::{Error, Result},
};

const IMMUTABLE: &str = "immutable";

/// What a request says of options. One that is `null` is taken away.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceOptions {
    #[serde(default, deserialize_with = "present")]
    immutable: Option<Option<bool>>,
}

impl ResourceOptions {
    pub fn apply(&self, kept: &mut Extra) {
        match self.immutable {
            Some(Some(immutable)) => drop(kept.insert(IMMUTABLE.to_owned(), Value::Bool(immutable))),
            Some(None) => drop(kept.remove(IMMUTABLE)),
            None => {}
        }
    }

    pub fn kept(&self) -> Extra {
        let mut kept = Extra::new();
        self.apply(&mut kept);
        kept
    }

    fn frees(&self) -> bool {
        matches!(self.immutable, Some(None | Some(false)))
    }
}

/// Of an immutable thing nothing is changed but that it is immutable. `only` are the options of an update that changes
/// nothing else.
pub fn refuse_update(kind: &str, id: &str, kept: &Extra, only: Option<&ResourceOptions>) -> Result<()> {
    if is_immutable(kept) && !only.is_some_and(ResourceOptions::frees) {
        return Err(Error::Forbidden(format!(
            "Unable to update immutable {kind} resource: {id}. Set resource option \"immutable\" to false first."
        )));
    }
    Ok(())
}

pub fn refuse_delete(kind: &str, id: &str, kept: &Extra) -> Result<()> {
    if is_immutable(kept) {
        return Err(Error::Forbidden(format!(
            "Unable to delete immutable {kind} resource: {id}. Set resource option \"immutable\" to false first."
        )));
    }
    Ok(())
}

fn is_immutable(kept: &Extra) -> bool {
    kept.get(IMMUTABLE) == Some(&Value::Bool(true))
}
