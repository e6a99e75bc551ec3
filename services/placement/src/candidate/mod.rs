// SPDX-License-Identifier: Apache-2.0
//! `/allocation_candidates`: which providers could take a request.

use std::{collections::BTreeSet, sync::Arc};

use api::{Cx, Fault, Query, Reply, Routes, json};
use contracts::placement::{Capacity, Resources};
use http::StatusCode;
use serde_json::{Value, json};
use types::Microversion;

use crate::{Placement, inventory, policy::ADMIN};

access::policies! {
    CANDIDATES = "placement:allocation_candidates:list", ADMIN, "Ask which providers could take a request";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("candidate", routes);

pub fn routes() -> Routes<Placement> {
    Routes::new().get("/allocation_candidates", &CANDIDATES, list).since(Microversion::new(1, 10))
}

/// What is asked for, in the query's own words: `resources=VCPU:1,MEMORY_MB:512&required=HW_ARCH_X86_64,!CUSTOM_OLD`.
pub struct Request {
    pub resources: Resources,
    required: BTreeSet<String>,
    forbidden: BTreeSet<String>,
}

impl Request {
    pub fn read(query: &Query) -> Result<Self, Fault> {
        let text = query.get("resources").ok_or_else(|| Fault::bad_request("'resources' is a required parameter"))?;
        let mut resources = Resources::new();
        for item in text.split(',') {
            let badly = || {
                Fault::bad_request(format!(
                    "Badly formed resources parameter: '{item}' is not CLASS:amount with an amount of 1 or more."
                ))
            };
            let (class, amount) = item.split_once(':').ok_or_else(badly)?;
            let amount: i64 = amount.parse().ok().filter(|amount| *amount > 0).ok_or_else(badly)?;
            resources.insert(class.to_owned(), amount);
        }
        let (mut required, mut forbidden) = (BTreeSet::new(), BTreeSet::new());
        for name in query.all("required").flat_map(|list| list.split(',')).filter(|name| !name.is_empty()) {
            match name.strip_prefix('!') {
                Some(name) => forbidden.insert(name.to_owned()),
                None => required.insert(name.to_owned()),
            };
        }
        Ok(Self { resources, required, forbidden })
    }

    /// Whether the provider could take it; if not, what is lacking.
    pub fn fits(&self, capacity: &Capacity) -> Result<(), String> {
        for (class, amount) in &self.resources {
            if capacity.free.get(class).is_none_or(|free| free < amount) {
                return Err(class.clone());
            }
        }
        if let Some(name) = self.required.iter().find(|name| !capacity.traits.contains(*name)) {
            return Err(name.clone());
        }
        match self.forbidden.iter().find(|name| capacity.traits.contains(*name)) {
            Some(name) => Err(format!("!{name}")),
            None => Ok(()),
        }
    }
}

async fn list(room: Arc<Placement>, cx: Cx) -> Reply {
    let request = Request::read(cx.query())?;
    let limit = match cx.query().get("limit") {
        None => usize::MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Fault::bad_request("'limit' is a whole number of 1 or more."))?,
    };
    let capacities = room.store.list(inventory::table::capacities).await?;
    let fitting: Vec<_> = capacities.iter().filter(|capacity| request.fits(capacity).is_ok()).take(limit).collect();
    let by_provider = cx.version >= Microversion::new(1, 12);
    let candidate = |capacity: &&Capacity| {
        let mut candidate = if by_provider {
            json!({"allocations": {capacity.provider.as_str(): {"resources": request.resources}}})
        } else {
            json!({"allocations": [{"resource_provider": {"uuid": capacity.provider}, "resources": request.resources}]})
        };
        if cx.version >= Microversion::new(1, 34) {
            candidate["mappings"] = json!({"": [capacity.provider]});
        }
        candidate
    };
    let candidates: Vec<Value> = fitting.iter().map(candidate).collect();
    let summaries: serde_json::Map<String, Value> =
        fitting.iter().map(|capacity| (capacity.provider.to_string(), summary(&cx, capacity))).collect();
    json(StatusCode::OK, &json!({"allocation_requests": candidates, "provider_summaries": summaries}))
}

fn summary(cx: &Cx, capacity: &Capacity) -> Value {
    let of_class = |(class, total): (&String, &i64)| {
        let used = total - capacity.free.get(class).unwrap_or(total);
        (class.clone(), json!({"capacity": total, "used": used}))
    };
    let resources: serde_json::Map<String, Value> = capacity.total.iter().map(of_class).collect();
    let mut summary = json!({"resources": resources});
    if cx.version >= Microversion::new(1, 17) {
        summary["traits"] = json!(capacity.traits);
    }
    if cx.version >= Microversion::new(1, 29) {
        summary["root_provider_uuid"] = json!(capacity.provider);
        summary["parent_provider_uuid"] = Value::Null;
    }
    summary
}
