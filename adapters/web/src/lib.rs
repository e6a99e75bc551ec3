// SPDX-License-Identifier: Apache-2.0
//! A client for pages and files of the web, safe to point at an address that a tenant wrote.
//!
//! Whoever can make a cloud fetch a URL reaches for what only the cloud can reach: its own APIs, the metadata address,
//! the office's printers. A check of the URL's text does not help: `0x7f000001`, a DNS name that answers differently the
//! second time, or a redirect are all past it. So a name is resolved once, the addresses are judged by [`Rules`], and the
//! connection goes to the very address that was judged; each redirect begins anew.
//!
//! Invariant: no connection is opened to an address that the rules refuse, whatever hop or spelling led there (test: `no_spelling_and_no_redirect_reaches_a_refused_address`).

mod address;
mod body;
mod client;
mod connect;
mod error;
mod location;
mod resolve;
mod roots;
#[cfg(test)]
mod tests;

pub use address::{Rules, Why};
pub use body::Body;
pub use client::{Client, Limits, Outgoing, Request, Response};
pub use error::Error;
pub use resolve::{Resolver, SystemResolver};

/// `http` or `https` with a host and nothing that hides it; the same reading that a fetch begins with.
pub fn check_url(url: &str) -> Result<(), Error> {
    location::Location::parse(url).map(drop)
}
