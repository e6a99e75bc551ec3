// SPDX-License-Identifier: Apache-2.0
//! How long work gets done: reconcilers, the bells that wake them, and the crash points that tests trip.
//!
//! A reconciler takes no input. It reads what is wanted and what is there, does the next step, and reads again; the
//! happy case, the retry, the restart and the failover are one path. A bell only says "look again": it carries no
//! message, so none can be lost, and a clock rings it too in case an event never came.

mod bell;
pub mod crash;
pub mod durable;
mod reconcile;

pub use bell::Bell;
pub use reconcile::{KeyedReconciler, Step, spawn_keyed};
