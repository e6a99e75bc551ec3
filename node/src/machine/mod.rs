// SPDX-License-Identifier: Apache-2.0
//! A machine of this host: one task owns it, and nobody else touches its process, disk or ports.
//!
//! ```text
//!                        ┌──────────── wanted Running, or rebooted ─────────────┐
//!                        ▼                                                      │
//!   (told) ──▶ Preparing(image → disk → start → ports) ──▶ Running ──▶ Stopped ─┤
//!                │  ▲                                        │            ▲     │
//!                ▼  └── a while, if transient ──┐            │ guest powers off,│
//!              Failed ──────────────────────────┘            │ wanted Stopped   │
//!                │                                           │                  │
//!                └───────────── wanted Gone: from everywhere ┴──────────────────┴──▶ Gone
//!
//!   Running ⇄ Paused          as wanted, or without a lease, if it is exclusive: see [`next`]
//!   (told) ──▶ Received ──▶ Stopped or Running       its disk comes from another node: see [`receive`]
//!   Stopped ──▶ Sent ──▶ Stopped ──▶ Gone            its disk goes to another node, and is kept until released: see [`copy`]
//! ```
//!
//! What is wanted reaches the task through a watch channel, so it only ever sees the latest. The task writes it to
//! the ledger before it acts on it, does the next step that [`next::next`] names, and looks again. Everything that it
//! does is `ensure` or `release`, so a task that begins after a crash goes the same way as one that did not.
//!
//! A machine at rest, running or not, may be copied meanwhile: see [`copy`]. NICs and volumes come and go while it runs: see [`nics`] and [`volumes`]. Its disks
//! are made, grown, kept and put back while it is off: see [`disks`].
//!
//! A running machine whose process is lost, or whose guest QEMU holds still, has failed, too, until it is rebooted, stopped or,
//! for a disk without room, goes on. Where it was KVM that failed, it is started anew and emulated. See [`held`].
//!
//! A machine that halted by itself stays so, as in Nova, until something is wanted that is newer than what the
//! controller wanted when it learned of the halt.

pub(crate) mod console;
mod copy;
mod disks;
mod found;
mod held;
mod next;
mod nics;
mod passing;
mod pause;
mod receive;
mod running;
mod start;
mod stop;
mod taps;
mod task;
mod troubles;
mod volumes;
mod wire;
mod workshop;

pub(crate) use taps::Taps;
pub(crate) use task::Task;
pub(crate) use workshop::Workshop;
