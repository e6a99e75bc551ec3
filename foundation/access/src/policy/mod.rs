// SPDX-License-Identifier: Apache-2.0
//! oslo.policy's language: `role:member and project_id:%(project_id)s`, read once into a tree, evaluated often.
//!
//! [`parse`] makes the tree, [`check`] evaluates it, [`attribute`] knows what may be asked about the caller, and
//! [`base`] holds the named rules that the services share.

pub mod attribute;
pub mod base;
pub mod check;
pub mod parse;

#[cfg(test)]
mod tests;

/// One thing that may be allowed: its name in `policy.yaml`, the rule that holds unless the operator says otherwise,
/// and a line that says what it guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub name: &'static str,
    pub check: &'static str,
    pub about: &'static str,
}

impl Policy {
    pub const fn new(name: &'static str, check: &'static str, about: &'static str) -> Self {
        Self { name, check, about }
    }
}
