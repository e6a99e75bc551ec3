// SPDX-License-Identifier: Apache-2.0
//! The certificates that nodes hold: by which of them a peer is recognised, until it is revoked.

mod table;

pub(crate) use table::{holder, insert, revoke_all};
