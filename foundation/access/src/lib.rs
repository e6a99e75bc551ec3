// SPDX-License-Identifier: Apache-2.0
//! Who may do what: tokens, policy rules, and authorization as a value one must hold.
//!
//! - [`fernet`], [`keys`] and [`payload`] read and write Keystone's token format.
//! - [`policy`] reads oslo.policy's language into trees and evaluates them.
//! - [`Asker`] is a caller before the policies in force, at the door and with every neighbour that is asked in his name.
//! - [`Enforcer`] answers whether a caller may; its yes is an [`Allowed`], which nobody else can make and which
//!   store functions demand, so that no query can forget how far its caller may see.

pub mod access_rule;
mod allowed;
mod asker;
mod denied;
mod enforcer;
pub mod fernet;
pub mod keys;
pub mod payload;
pub mod policy;
mod reach;
mod target;

pub use allowed::{Allowed, Scope};
pub use asker::{Asker, InForce};
pub use denied::Denied;
pub use enforcer::{Enforcer, PolicyError, Problem};
pub use policy::{Policy, base::BASE_RULES};
pub use reach::supposed;
pub use target::Target;
