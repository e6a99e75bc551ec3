// SPDX-License-Identifier: Apache-2.0
//! The room's door for the operator: its audit.

use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding},
};

use crate::{Error, Objects, data};

impl Audit for Objects {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>> {
        Box::pin(async move { Ok(data::audit(self).await?) })
    }

    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(data::remove_stray(self, stray))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Data(refusal) => refusal,
            other => Self::internal(other.to_string()),
        }
    }
}
