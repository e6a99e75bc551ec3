// SPDX-License-Identifier: Apache-2.0
//! Shadow users: those who live by an identity provider, as rows here, so that roles can be given to them.
//!
//! A shadow's id is derived from its domain and from its id by the identity provider, as Keystone derives it, so it
//! comes out the same on every cloud and after every loss. The groups in which the last login put somebody are kept
//! too: a token's groups count only while the last login still said so.

pub mod links;
pub mod provision;
pub mod table;
