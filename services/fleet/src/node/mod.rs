// SPDX-License-Identifier: Apache-2.0
//! A node as the fleet remembers it, and what placement is told of it.

mod provider;
mod table;

pub(crate) use provider::{inventories, traits};
pub(crate) use table::{Row, all, changing, delete, find, get, insert, set_disabled, set_hello, set_lost};

use contracts::Refusal;

use crate::Result;

pub(crate) const TABLES: &[::store::Step] =
    &[::store::Step { number: 1, name: "nodes", sql: include_str!("../../migrations/0001_nodes.sql") }];

/// RFC 1123 allows less, but hosts are called all sorts of things; what matters is that it is one plain word.
const LONGEST_HOSTNAME: usize = 253;

pub(crate) fn check_hostname(hostname: &str) -> Result<()> {
    let plain = hostname.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if plain && (1..=LONGEST_HOSTNAME).contains(&hostname.len()) {
        Ok(())
    } else {
        Err(Refusal::invalid("a host's name is one word of letters, digits, dots, dashes and underscores").into())
    }
}
