// SPDX-License-Identifier: Apache-2.0
//! Addresses: the arithmetic of subnets, and which port holds which.
//!
//! [`range`] is pure arithmetic. [`store`] hands out addresses within a transaction; that an address has one holder is
//! kept by a unique key, not by this code.

pub mod leaving;
pub mod range;
pub mod store;

pub use range::{Pool, eui64};
