// SPDX-License-Identifier: Apache-2.0
//! The channel to a controller: one connection, on which lines come down, and reports and streams of bytes go up.
//!
//! It knows nothing of hosts and machines: who holds a [`Session`] hears its lines and decides what to make of them, and who
//! has something to say says it to the [`Client`]. So whatever speaks the protocol of nodes can stand on it.

mod client;
mod credentials;
mod file;
mod lines;
mod session;
mod tls;

use tokio::sync::watch;

use crate::{Error, Result};

pub use client::{Client, Sent, join};
pub use credentials::Credentials;
pub(crate) use file::of_file;
pub use rustls::ClientConfig as Tls;
pub use session::Session;
#[cfg(test)]
pub(crate) use tls::joining;

/// The connection that there is now, for those who have something to say or to ask at any time.
#[derive(Clone)]
pub struct Link {
    current: watch::Sender<Option<Client>>,
}

impl Link {
    pub fn new() -> Self {
        Self { current: watch::Sender::new(None) }
    }

    pub fn client(&self) -> Result<Client> {
        self.current.borrow().clone().ok_or(Error::NotConnected)
    }

    /// There is a connection, or there is none any more.
    pub fn set(&self, client: Option<Client>) {
        self.current.send_replace(client);
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}
