// SPDX-License-Identifier: Apache-2.0
//! Addresses: which port holds which.
//!
//! [`store`] hands out addresses within a transaction; that an address has one holder is
//! kept by a unique key, not by this code.

pub mod leaving;
pub mod table;
