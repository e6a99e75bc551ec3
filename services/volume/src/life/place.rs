// SPDX-License-Identifier: Apache-2.0
//! Where volumes lie: the hosts that keep some, how much they have, and which of them gets a new one.
//!
//! Room is counted in the tables: a volume counts with all that its owner may write into it. So nobody's guest meets a full disk
//! because others were promised the same room.

use std::collections::{BTreeMap, HashMap, HashSet};

use contracts::{
    Refusal,
    node::{Feature, ThingId},
    nodes::NodeFacts,
};
use serde_json::{Value, json};
use store::{Actor, params};
use types::{NodeId, Timestamp};
use work::{Step, crash};

use crate::{
    BlockStorage,
    error::Result,
    message::{self, Message},
    volume::{self, Volume, place_name, state::Life},
    volume_type,
};

/// A host that keeps volumes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub node: NodeId,
    pub hostname: String,
    pub is_up: bool,
    pub is_disabled: bool,
    pub disabled_reason: Option<String>,
    pub is_frozen: bool,
    pub seen_at: Timestamp,
    /// GiB.
    pub total: i64,
    pub promised: i64,
}

impl Place {
    pub(crate) fn free(&self) -> i64 {
        (self.total - self.promised).max(0)
    }

    pub(crate) fn name(&self) -> String {
        place_name(&self.hostname)
    }

    /// What it can do, in Cinder's words.
    pub(crate) fn abilities(&self) -> Value {
        json!({
            "pool_name": "disks",
            "volume_backend_name": "disks",
            "vendor_name": "Ferrostack",
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": "NBD",
            "thin_provisioning_support": true,
            "thick_provisioning_support": false,
            "multiattach": false,
            "QoS_support": false,
        })
    }

    /// Whether it is what a type asks for: a spec without a scope, or of the scope `capabilities`, names an ability.
    fn meets(&self, specs: &BTreeMap<String, String>) -> bool {
        let abilities = self.abilities();
        specs.iter().all(|(key, wanted)| {
            let name = key.strip_prefix("capabilities:").unwrap_or(key);
            let wanted = wanted.strip_prefix("<is>").unwrap_or(wanted).trim();
            match abilities.get(name) {
                _ if name.contains(':') => true,
                None => false,
                Some(Value::Bool(is)) => words::flag::oslo(wanted) == Some(*is),
                Some(is) => is.as_str() == Some(wanted),
            }
        })
    }
}

fn total(node: &NodeFacts) -> Option<i64> {
    let storage = node.hello.as_ref()?.storage.filter(|_| node.can(Feature::Volumes))?;
    Some(i64::try_from(storage.total_gb).unwrap_or(i64::MAX))
}

impl BlockStorage {
    /// All hosts that keep volumes, by name.
    pub(crate) async fn places(&self) -> Result<Vec<Place>> {
        let nodes = self.nodes.list().await?;
        let (promised, disabled, frozen) = self
            .store
            .list(|tx| -> Result<_> {
                let rows = tx.query("SELECT node_id, reason FROM volume_hosts_disabled", &[])?;
                let disabled: HashMap<NodeId, Option<String>> =
                    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<store::Result<_>>()?;
                let rows = tx.query("SELECT node_id FROM volume_hosts_frozen", &[])?;
                let frozen: HashSet<NodeId> = rows.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?;
                Ok((volume::table::promised(tx)?, disabled, frozen))
            })
            .await?;
        let place = |node: NodeFacts| {
            Some(Place {
                total: total(&node)?,
                promised: promised.get(&node.id).copied().unwrap_or_default(),
                is_disabled: disabled.contains_key(&node.id),
                disabled_reason: disabled.get(&node.id).cloned().flatten(),
                is_frozen: frozen.contains(&node.id),
                is_up: node.up,
                seen_at: node.seen_at,
                hostname: node.hostname,
                node: node.id,
            })
        };
        let mut places: Vec<Place> = nodes.into_iter().filter_map(place).collect();
        places.sort_by(|one, other| one.hostname.cmp(&other.hostname));
        Ok(places)
    }

    /// GiB that a node offers to volumes in all; none of one that is not known now.
    pub(crate) async fn capacity(&self, node: &NodeId) -> Result<Option<i64>, Refusal> {
        Ok(self.nodes.get(node).await?.as_ref().and_then(total))
    }

    /// Chooses the host with most room for a new volume.
    pub(super) async fn place(&self, volume: &Volume) -> Result<Step> {
        let places = self.places().await?;
        let id = volume.type_id.clone();
        let kind = self.store.read(move |tx| volume_type::table::find(tx, &id)).await?;
        let specs = kind.map(|kind| kind.extra_specs).unwrap_or_default();
        if !places.is_empty() && !places.iter().any(|place| place.meets(&specs)) {
            self.fail(volume, "No host has what the type of this volume asks for.").await?;
            return Ok(Step::Settled);
        }
        let fits = |place: &&Place| {
            place.meets(&specs) && place.is_up && !place.is_disabled && !place.is_frozen && place.free() >= volume.wanted_size
        };
        let Some(place) = places.iter().filter(fits).max_by_key(|place| place.free()) else {
            if places.iter().any(|place| !place.is_up) || places.is_empty() {
                // Hosts that are about to come back: after a restart all of them are.
                return self.wait_or_fail(volume, "No host that keeps volumes is there.").await;
            }
            self.fail(volume, "No host has room for a volume of this size.").await?;
            return Ok(Step::Settled);
        };
        let (before, node, host, total) = (volume.clone(), place.node.clone(), place.name(), place.total);
        let placed = self
            .store
            .write(move |tx| -> Result<_> {
                // Others may have been promised room there since it was counted.
                if volume::table::promised_on(tx, &node)? + before.wanted_size > total {
                    return Ok(None);
                }
                let mut after = before.clone();
                (after.node_id, after.host, after.life) = (Some(node.clone()), Some(host.clone()), Life::Making);
                volume::table::save(tx, &Actor::system("volume"), "volume.place", &before, after).map(Some)
            })
            .await?;
        crash::point("volume.placed");
        let Some(placed) = placed else { return Ok(Step::Again) };
        if let Some(node) = &placed.node_id {
            self.nodes.tell(node, &[ThingId::volume(&placed.id)]);
        }
        Ok(Step::Wait)
    }

    /// One that waits for its node for longer than any image takes fails, so that its owner is not left waiting.
    pub(super) async fn wait_or_fail(&self, volume: &Volume, cause: &str) -> Result<Step> {
        if volume.created_at.plus(self.patience.making) > Timestamp::now() {
            return Ok(Step::Wait);
        }
        self.fail(volume, cause).await?;
        Ok(Step::Settled)
    }

    /// The volume cannot be made; its owner is told why.
    pub(super) async fn fail(&self, volume: &Volume, cause: &str) -> Result<()> {
        let (before, cause) = (volume.clone(), cause.to_owned());
        self.store
            .write(move |tx| -> Result<_> {
                let mut after = before.clone();
                (after.life, after.step, after.fault) = (Life::Failed, None, Some(cause.clone()));
                let actor = Actor::system("volume");
                message::table::insert(tx, &actor, &Message::of_volume(&after, "create", &cause))?;
                volume::table::save(tx, &actor, "volume.fail", &before, after)
            })
            .await?;
        crash::point("volume.failed");
        self.ring_servers_of(&volume.id).await;
        Ok(())
    }

    pub(crate) async fn set_disabled(&self, node: &NodeId, reason: Option<String>, is_disabled: bool) -> Result<()> {
        let node = node.clone();
        self.store
            .write(move |tx| -> Result<()> {
                tx.execute("DELETE FROM volume_hosts_disabled WHERE node_id = $1", &params![&node])?;
                if is_disabled {
                    tx.execute(
                        "INSERT INTO volume_hosts_disabled (node_id, reason, disabled_at) VALUES ($1, $2, $3)",
                        &params![&node, reason.as_ref(), Timestamp::now()],
                    )?;
                }
                Ok(())
            })
            .await
    }
}
