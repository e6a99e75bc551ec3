// SPDX-License-Identifier: Apache-2.0
//! The volumes of many servers, for their views.

use std::collections::HashMap;

use serde::Serialize;
use store::{Direction, Select, Store};
use types::{ServerId, VolumeId};

use super::super::{
    claim::{self, Claim, Kind},
    state::Word as _,
};
use crate::error::Result;

/// A volume as its server's view tells of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Brief {
    pub id: VolumeId,
    pub delete_on_termination: bool,
}

/// In one statement, however many servers there are.
pub(crate) async fn of_servers(store: &Store, servers: Vec<ServerId>) -> Result<HashMap<ServerId, Vec<Brief>>> {
    let claims = store.list(move |tx| -> Result<_> {
        let select = Select::new("server_claims", claim::COLUMNS).filter("kind = ", Kind::Volume.word());
        let rows = select.filter_in("server_id", &servers).sort(&[("server_id", Direction::Asc)], "position").rows(tx)?;
        Ok(rows.iter().map(claim::from_row).collect::<store::Result<Vec<Claim>>>()?)
    });
    let mut volumes: HashMap<ServerId, Vec<Brief>> = HashMap::new();
    for claim in claims.await? {
        let Some(volume) = claim.volume else { continue };
        let brief = Brief { id: volume.ask.volume_id, delete_on_termination: volume.delete_on_termination };
        volumes.entry(claim.server_id).or_default().push(brief);
    }
    Ok(volumes)
}
