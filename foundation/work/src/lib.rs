// SPDX-License-Identifier: Apache-2.0
//! How long work gets done: reconcilers, the bells that wake them, and the crash points that tests trip.
//!
//! A reconciler takes no input. It reads what is wanted and what is there, does the next step, and reads again; the
//! happy case, the retry, the restart and the failover are one path. A bell only says "look again", at some keys or at all:
//! it carries no message, so none can be lost, and a clock rings it too in case an event never came.

mod bell;
pub mod crash;
pub mod durable;
mod keys;
mod pause;
mod reconcile;
mod status;
mod tasks;

pub use bell::{Bell, Rung};
pub use reconcile::{KeyedReconciler, Step};
pub use status::{Board, Pausing, Status, UnderWay};
pub use tasks::Tasks;
