// SPDX-License-Identifier: Apache-2.0
//! `OS-ENDPOINT-POLICY`, below policies and endpoints.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};
use types::EndpointId;

use super::{For, table};
use crate::{Identity, reply};

static OF_ENDPOINT: Policy = Policy::new("identity:get_policy_for_endpoint", READ, "Show the policy of an endpoint");
static ENDPOINTS: Policy = Policy::new("identity:list_endpoints_for_policy", READ, "List the endpoints for which a policy is");
static CREATE_ENDPOINT: Policy =
    Policy::new("identity:create_policy_association_for_endpoint", "rule:admin_required", "Make a policy that of an endpoint");
static CHECK_ENDPOINT: Policy =
    Policy::new("identity:check_policy_association_for_endpoint", READ, "Check that a policy is for an endpoint");
static DELETE_ENDPOINT: Policy =
    Policy::new("identity:delete_policy_association_for_endpoint", "rule:admin_required", "End that a policy is for an endpoint");
static CREATE_SERVICE: Policy =
    Policy::new("identity:create_policy_association_for_service", "rule:admin_required", "Make a policy that of a service");
static CHECK_SERVICE: Policy =
    Policy::new("identity:check_policy_association_for_service", READ, "Check that a policy is for a service");
static DELETE_SERVICE: Policy =
    Policy::new("identity:delete_policy_association_for_service", "rule:admin_required", "End that a policy is for a service");
static CREATE_REGION: Policy = Policy::new(
    "identity:create_policy_association_for_region_and_service",
    "rule:admin_required",
    "Make a policy that of a service in a region",
);
static CHECK_REGION: Policy = Policy::new(
    "identity:check_policy_association_for_region_and_service",
    READ,
    "Check that a policy is for a service in a region",
);
static DELETE_REGION: Policy = Policy::new(
    "identity:delete_policy_association_for_region_and_service",
    "rule:admin_required",
    "End that a policy is for a service in a region",
);

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

#[rustfmt::skip]
pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy", &OF_ENDPOINT, of_endpoint)
        .get("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints", &ENDPOINTS, list_endpoints)
        .get("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}", &CHECK_ENDPOINT, check)
        .put("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}", &CREATE_ENDPOINT, create)
        .delete("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}", &DELETE_ENDPOINT, delete)
        .get("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}", &CHECK_SERVICE, check)
        .put("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}", &CREATE_SERVICE, create)
        .delete("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}", &DELETE_SERVICE, delete)
        .get("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}", &CHECK_REGION, check)
        .put("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}", &CREATE_REGION, create)
        .delete("/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}", &DELETE_REGION, delete)
}

async fn of_endpoint(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, endpoint) = (cx.allowed()?.clone(), EndpointId::from(cx.param("endpoint_id")));
    let policy = room.read(move |tx| table::of_endpoint(tx, &allowed, &endpoint)).await?;
    reply::show(&cx, &policy)
}

async fn list_endpoints(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, policy) = (cx.allowed()?.clone(), policy_id(&cx));
    let endpoints = room.list(move |tx| table::endpoints(tx, &allowed, &policy)).await?;
    reply::list(&cx, &endpoints)
}

async fn check(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, policy, with) = (cx.allowed()?.clone(), policy_id(&cx), with(&cx));
    room.read(move |tx| table::check(tx, &allowed, &policy, &with)).await?;
    no_content()
}

async fn create(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, policy, with) = (cx.allowed()?.clone(), cx.actor(), policy_id(&cx), with(&cx));
    room.write(move |tx| table::associate(tx, &allowed, &actor, &policy, &with)).await?;
    no_content()
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, policy, with) = (cx.allowed()?.clone(), cx.actor(), policy_id(&cx), with(&cx));
    room.write(move |tx| table::dissociate(tx, &allowed, &actor, &policy, &with)).await?;
    no_content()
}

fn policy_id(cx: &Cx) -> String {
    cx.param("policy_id").to_owned()
}

fn with(cx: &Cx) -> For {
    match (cx.param("endpoint_id"), cx.param("service_id"), cx.param("region_id")) {
        ("", service, "") => For::Service(service.into()),
        ("", service, region) => For::ServiceInRegion(service.into(), region.to_owned()),
        (endpoint, _, _) => For::Endpoint(endpoint.into()),
    }
}
