// SPDX-License-Identifier: Apache-2.0
//! Conversations with the room over its real route table, and lives of volumes from create to delete.
#![allow(clippy::unwrap_used, clippy::panic)]
