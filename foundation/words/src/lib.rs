// SPDX-License-Identifier: Apache-2.0
//! The vocabulary in which clients speak to every service: fields of a body, flags, comparisons in filters, hostnames.
//!
//! What is understood is written once. What a client hears when he is not understood is each service's own sentence: a service
//! says its own in a [`Tongue`].

mod comparison;
pub mod flag;
pub mod hostname;
mod object;

pub use comparison::Comparison;
pub use object::{Object, Tongue, Wrong, shortened};
