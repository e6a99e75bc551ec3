// SPDX-License-Identifier: Apache-2.0
//! The room with hosts that speak the real protocol over the real port.

mod cloud;
mod lease;
mod reports;
mod streams;
mod versions;
