// SPDX-License-Identifier: Apache-2.0
//! Bounds: how much of the cloud one stranger, one tenant and all of them together may hold, and for how long without getting on.
//!
//! - [`Places`] are held by connections and requests: so many in all, so many for each address or project. Where they run
//!   out, an idle one is asked to leave before anybody is turned away.
//! - A [`Line`] is stood in by what may wait: whoever has the fewest, goes first; who waits too long is told so.
//! - [`Threads`] do blocking work a piece at a time, the owners by turns, so that no stream holds a thread while it is silent.
//! - [`Credit`] is how much of one conversation may be on its way over a connection that others share; [`relay`] keeps to it.
//! - A [`Pace`] is how slow the other end of a stream may be; [`PacedBody`], [`PacedIo`] and [`HeededBody`] keep to it.
//!
//! `docs/bounds.md` is the table of what is bounded by which of them.

mod body;
mod credit;
mod files;
mod heeded;
mod io;
mod kept;
mod line;
mod pace;
mod places;
mod source;
mod threads;

pub use body::PacedBody;
pub use credit::{Credit, relay};
pub use files::raise_file_limit;
pub use heeded::HeededBody;
pub use io::{PacedIo, notice_dead_peers};
pub use kept::Kept;
pub use line::{Line, Overdue, Turn};
pub use pace::Pace;
pub use places::{Busy, Full, Place, Places};
pub use source::Source;
pub use threads::{Lost, Threads};
