// SPDX-License-Identifier: Apache-2.0
//! The door to disk images: judging them, laying overlays over them, the layers of volumes, converting them in a cage, and writing
//! the small ISO image that carries a machine's configuration.
//!
//! Nothing here ever guesses a format: what an image is was found once, by [`inspect`], and is pinned from then on.

mod bytes;
pub mod cage;
pub mod config_drive;
pub mod durable;
mod error;
mod format;
pub mod inspect;
pub mod layer;
pub mod overlay;
mod qcow2;
mod sys;

pub use error::Error;
pub use format::Format;
pub use inspect::{Inspection, Inspector, Limits, Refusal};

pub(crate) type Result<T> = std::result::Result<T, Error>;
