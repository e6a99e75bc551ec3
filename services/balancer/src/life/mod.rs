// SPDX-License-Identifier: Apache-2.0
//! How load balancers come, are changed and go.
//!
//! ```text
//!   a request ──generation + 1──▶ PENDING_CREATE, PENDING_UPDATE ──brought out──▶ ACTIVE
//!                                                │    ▲                            │
//!                     refused by a neighbour     ▼    └──────── a request ─────────┤
//!                                              ERROR                               │
//!   a deletion ──────────────────────────▶ PENDING_DELETE ──let go──▶ gone         │
//!                                              ▲                                   │
//!                                              └───────────────────────────────────┘
//! ```

mod health;
pub mod reconcile;
pub(crate) mod settle;
mod status;
