// SPDX-License-Identifier: Apache-2.0
//! What Keystone once offered for PKI tokens and answers with 410 since: a client learns that it is gone for good.

use std::sync::Arc;

use access::Policy;
use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;

use crate::Identity;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("retired", routes);

static REVOKED: Policy =
    Policy::new("identity:revocation_list", "rule:service_or_admin", "List revoked PKI tokens (there are none)");

pub fn routes() -> Routes<Identity> {
    Routes::new().get("/v3/auth/tokens/OS-PKI/revoked", &REVOKED, gone).get("/v3/OS-SIMPLE-CERT/ca", Access::Public, gone).get(
        "/v3/OS-SIMPLE-CERT/certificates",
        Access::Public,
        gone,
    )
}

async fn gone(_: Arc<Identity>, _: Cx) -> Reply {
    Err(Fault::new(
        StatusCode::GONE,
        "This resource is gone for good: there are no PKI tokens. Tokens are checked at /v3/auth/tokens.",
    ))
}
