// SPDX-License-Identifier: Apache-2.0
//! For which endpoints a policy is: one endpoint, a service, or a service in a region and in those within it. The
//! closest of these holds.

pub mod api;
pub mod table;

use types::{EndpointId, ServiceId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum For {
    Endpoint(EndpointId),
    Service(ServiceId),
    ServiceInRegion(ServiceId, String),
}

impl For {
    /// As the table has it: endpoint, service and region, each empty where it does not apply.
    fn key(&self) -> [&str; 3] {
        match self {
            Self::Endpoint(endpoint) => [endpoint.as_str(), "", ""],
            Self::Service(service) => ["", service.as_str(), ""],
            Self::ServiceInRegion(service, region) => ["", service.as_str(), region],
        }
    }
}
