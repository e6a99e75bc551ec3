// SPDX-License-Identifier: Apache-2.0
//! `/os-services/freeze` and `thaw`: on a frozen host nothing is made, changed or deleted, while servers go on with what they
//! have there. It gets no new volumes either.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use store::{Change, Event, Tx, params};
use types::{NodeId, Timestamp};

use super::services::name;
use crate::{
    BlockStorage,
    error::{Error, Result},
    host::policy,
    input::body,
};

/// What Cinder notes as the reason.
const REASON: &str = "frozen";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new().put("/v3/os-services/freeze", &policy::FREEZE, freeze).put("/v3/os-services/thaw", &policy::THAW, thaw)
}

/// Refuses what would change anything on a host that is frozen. Called in the transaction that would.
pub(crate) fn refuse(tx: &mut Tx, node: Option<&NodeId>) -> Result<()> {
    let Some(node) = node else { return Ok(()) };
    let frozen = tx.query_opt("SELECT 1 FROM volume_hosts_frozen WHERE node_id = $1", &params![node])?;
    match frozen {
        None => Ok(()),
        Some(_) => Err(Error::invalid("Invalid input received: Cannot operate on resource in a frozen backend.")),
    }
}

async fn freeze(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    set(room, cx, true).await
}

async fn thaw(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    set(room, cx, false).await
}

async fn set(room: Arc<BlockStorage>, mut cx: Cx, is_frozen: bool) -> Reply {
    let mut ask = body(&mut cx).await?;
    let host = ask.text("host", 1..=255)?;
    let host = ask.required("host", host)?;
    ask.finish()?;
    let places = room.places().await?;
    let place = places.iter().find(|place| name(place) == host || place.hostname == host);
    let place = place.ok_or_else(|| Fault::bad_request(format!("Service cinder-volume could not be found on host {host}.")))?;
    if place.is_frozen == is_frozen {
        return Ok(api::empty(StatusCode::ACCEPTED));
    }
    room.set_disabled(&place.node, is_frozen.then(|| REASON.to_owned()), is_frozen).await?;
    let (node, actor) = (place.node.clone(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            tx.execute("DELETE FROM volume_hosts_frozen WHERE node_id = $1", &params![&node])?;
            if is_frozen {
                let sql = "INSERT INTO volume_hosts_frozen (node_id, frozen_at) VALUES ($1, $2)";
                tx.execute(sql, &params![&node, Timestamp::now()])?;
            }
            let verb = if is_frozen { "volume_host.freeze" } else { "volume_host.thaw" };
            let (before, after) = (!is_frozen, is_frozen);
            let change = Change::changed(&before, &after);
            Ok(tx.record(Event::of(&actor, verb, ("volume_host", node.as_str()), &change)?)?)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
