// SPDX-License-Identifier: Apache-2.0
//! `/v2/cache`: Glance's cache in front of a remote store.
//!
//! Every store of this cloud is local to its controller, so there is nothing that a cache would save: data is read from its
//! file, and hosts keep what they fetched in a cache of their own. These routes answer as Glance does where no cache is
//! deployed, after the policy was asked.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};

use crate::{Image, policy};

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    Routes::new(room)
        .get("/v2/cache", &policy::CACHE_LIST, not_deployed)
        .delete("/v2/cache", &policy::CACHE_DELETE, not_deployed)
        .put("/v2/cache/{id}", &policy::CACHE_IMAGE, not_deployed)
        .delete("/v2/cache/{id}", &policy::CACHE_DELETE, not_deployed)
        .post("/v2/cache/clean", &policy::CACHE_DELETE, not_deployed)
        .post("/v2/cache/prune", &policy::CACHE_DELETE, not_deployed)
        .get("/v2/cache/nodes/{node}", &policy::CACHE_LIST, not_deployed)
}

async fn not_deployed(_: Arc<Image>, _: Cx) -> Reply {
    Err(Fault::not_found("Caching via API is not supported at this site."))
}
