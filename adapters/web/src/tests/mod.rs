// SPDX-License-Identifier: Apache-2.0
//! Fetches from real servers on loopback, allowed and refused.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fetch;
mod rules;
mod server;
