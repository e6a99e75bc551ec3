// SPDX-License-Identifier: Apache-2.0
//! Why somebody is not let in, which the log gets and nobody else.

use evidence::DomainRef;
use store::{Tx, params};
use types::DomainId;

use crate::error::{Error, Result};

/// Refuses a login. The operator finds out why; who tried does not.
pub fn denied(why: impl std::fmt::Display) -> Error {
    tracing::info!(%why, "a federated login was refused");
    Error::Unauthorized
}

pub fn resolve_domain(tx: &mut Tx, domain: &DomainRef) -> Result<DomainId> {
    let row = match domain {
        DomainRef::Id(id) => tx.query_opt("SELECT id FROM domains WHERE id = $1", &params![id])?,
        DomainRef::Name(name) => tx.query_opt("SELECT id FROM domains WHERE name = $1", &params![name])?,
    };
    let row = row.ok_or_else(|| denied(format!("the mapping names a domain that is not there: {domain:?}")))?;
    Ok(row.get(0)?)
}
