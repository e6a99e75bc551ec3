// SPDX-License-Identifier: Apache-2.0
//! Whole clouds with real daemons on several hosts, used as their users use them. Minutes; `./test scenarios` runs them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bad_input;
mod balancer;
mod client_walk;
mod federated_login;
mod identity_walk;
mod killed;
mod many_hosts;
mod place;
mod provider_vlan;
mod reach;
mod reboot;
mod spoofing;
mod stock_clients;
mod two_controllers;
mod two_hosts;
mod up;
mod volume_journeys;
mod volume_walk;
mod volumes;
