// SPDX-License-Identifier: Apache-2.0
//! `GET /operator/v1/strays` and `DELETE /operator/v1/strays/{name}`: what is there and no table knows of. It is kept until
//! the operator says, by its name, that it shall go.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, no_content};
use contracts::audit::{Audit, Finding, STRAY};
use http::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{Change, Event};

use super::{ADMIN, Drawer, Operator};

pub const DRAWER: Drawer = Drawer::new("strays", routes);

static POLICY: Policy = Policy::new("operator:strays", ADMIN, "List what nobody knows of, and have it removed");

fn routes() -> Routes<Operator> {
    Routes::new().get("/v1/strays", &POLICY, list).delete("/v1/strays/{name}", &POLICY, remove)
}

async fn list(operator: Arc<Operator>, _: Cx) -> Reply {
    let put_back = operator.store.put_back().await?;
    let put_back = put_back.map(|back| json!({"noticed_at": back.at.zulu(), "seen_by": back.seen_by}));
    let strays = strays(&operator).await?;
    let view = |(_, stray): &(Arc<dyn Audit>, Finding)| json!({"name": name(stray), "room": stray.room, "thing": stray.thing, "id": stray.id, "place": stray.place, "detail": stray.detail});
    let strays: Vec<_> = strays.iter().map(view).collect();
    json(StatusCode::OK, &json!({"strays": strays, "database_put_back": put_back}))
}

async fn remove(operator: Arc<Operator>, cx: Cx) -> Reply {
    let wanted = cx.param("name");
    // Looked for anew: what is known by now is no stray any more.
    let found = strays(&operator).await?.into_iter().find(|(_, stray)| name(stray) == wanted);
    let (room, stray) = found.ok_or_else(|| Fault::not_found(format!("There is no stray {wanted}.")))?;
    // Whoever asks later where it went finds who said so.
    let event = Event::of(&cx.actor(), "stray.remove", ("stray", &stray.id), &Change::removed(&stray))?;
    operator.store.write(move |tx| tx.record(event.clone())).await?;
    room.remove_stray(&stray).await?;
    no_content()
}

async fn strays(operator: &Operator) -> Result<Vec<(Arc<dyn Audit>, Finding)>, Fault> {
    let mut strays = Vec::new();
    for audit in &operator.audits {
        let found = audit.audit().await?.into_iter().filter(|finding| finding.kind == STRAY);
        strays.extend(found.map(|stray| (audit.clone(), stray)));
    }
    Ok(strays)
}

/// Short enough to type, and the same at each look.
fn name(stray: &Finding) -> String {
    let mut hash = Sha256::new();
    for part in [&stray.room, &stray.thing, &stray.place, &stray.id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..6])
}
