// SPDX-License-Identifier: Apache-2.0
//! `/os-hosts`: what of each project lies on a host.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::params;

use super::services::{CONTROLLER, SCHEDULER};
use crate::{BlockStorage, error::Result, host::policy, life::Place, zone::ZONE};

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new().get("/v3/os-hosts", &policy::HOSTS, list).get("/v3/os-hosts/{host}", &policy::HOSTS, show)
}

fn name(place: &Place) -> String {
    place.name().split('#').next().unwrap_or_default().to_owned()
}

async fn list(room: Arc<BlockStorage>, _cx: Cx) -> Reply {
    let view = |place: &Place| {
        json!({
            "service-status": if place.is_up { "available" } else { "unavailable" },
            "service": "cinder-volume",
            "zone": ZONE,
            "service-state": if place.is_disabled { "disabled" } else { "enabled" },
            "host_name": name(place),
            "last-update": place.seen_at.naive_micros(),
        })
    };
    let scheduler = json!({
        "service-status": "available",
        "service": SCHEDULER,
        "zone": ZONE,
        "service-state": "enabled",
        "host_name": CONTROLLER,
        "last-update": types::Timestamp::now().naive_micros(),
    });
    let places = room.places().await?;
    let views: Vec<Value> = [scheduler].into_iter().chain(places.iter().map(view)).collect();
    api::json(StatusCode::OK, &json!({"hosts": views}))
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let wanted = cx.param("host").to_owned();
    let places = room.places().await?;
    let place = places.iter().find(|place| name(place) == wanted || place.hostname == wanted);
    let place = place.ok_or_else(|| Fault::not_found(format!("Host {wanted} could not be found.")))?;
    let node = place.node.clone();
    let used = room
        .store
        .list(move |tx| -> Result<_> {
            let mut used: BTreeMap<String, [i64; 4]> = BTreeMap::new();
            let volumes = "SELECT project_id, count(*), CAST(sum(wanted_size) AS BIGINT) FROM volumes WHERE node_id = $1 GROUP BY project_id";
            let snapshots = "SELECT project_id, count(*), CAST(sum(size) AS BIGINT) FROM volume_snapshots WHERE volume_id IN \
                             (SELECT id FROM volumes WHERE node_id = $1) GROUP BY project_id";
            for (sql, at) in [(volumes, 0), (snapshots, 2)] {
                for row in tx.query(sql, &params![&node])? {
                    let of = used.entry(row.get(0)?).or_default();
                    (of[at], of[at + 1]) = (row.get(1)?, row.get(2)?);
                }
            }
            Ok(used)
        })
        .await?;
    let resource = |project: &str, [volumes, gigabytes, snapshots, snapshot_gigabytes]: [i64; 4]| {
        json!({"resource": {
            "host": name(place),
            "project": project,
            "volume_count": volumes.to_string(),
            "total_volume_gb": gigabytes.to_string(),
            "snapshot_count": snapshots.to_string(),
            "total_snapshot_gb": snapshot_gigabytes.to_string(),
        }})
    };
    let total = used.values().fold([0; 4], |sum, of| std::array::from_fn(|at| sum[at] + of[at]));
    let each = used.iter().map(|(project, of)| resource(project, *of));
    let views: Vec<Value> = [resource("(total)", total)].into_iter().chain(each).collect();
    api::json(StatusCode::OK, &json!({"host": views}))
}
