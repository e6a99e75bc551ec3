// SPDX-License-Identifier: Apache-2.0
//! Conversations over the real route table, with real databases behind it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod address_groups;
mod agents;
mod bad_input;
mod balancers;
mod bodies;
mod deletes;
mod filters;
mod fixture;
mod leaving;
mod lists;
mod neighbour;
mod networks;
mod ovn_rows;
mod ports;
mod routers;
mod scale;
mod security_groups;
mod sweep;
