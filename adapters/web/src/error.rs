// SPDX-License-Identifier: Apache-2.0
//! Why something could not be fetched, in words for whoever named the URL.

use std::{io, time::Duration};

use crate::Why;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("'{url}' cannot be fetched: {why}")]
    Url { url: String, why: &'static str },
    /// The address itself is not told: whoever asks may be looking for it.
    #[error("the address of {host} may not be fetched from: it is {why}")]
    Refused { host: String, why: Why },
    #[error("port {port} may not be fetched from")]
    Port { port: u16 },
    #[error("the name {host} has no address")]
    Name { host: String },
    #[error("{host} cannot be reached")]
    Connect { host: String, source: io::Error },
    #[error("no certificate authorities are known on this host; install the package ca-certificates")]
    NoRoots,
    #[error("{host} does not answer in HTTP as it should")]
    Http { host: String, source: hyper::Error },
    #[error("the server closed the connection before the end")]
    BrokenOff { source: hyper::Error },
    #[error("nothing came for {} seconds", .0.as_secs())]
    Idle(Duration),
    #[error("there was no answer within {} seconds", .0.as_secs())]
    Silent(Duration),
    #[error("it was not done after {} seconds", .0.as_secs())]
    TooSlow(Duration),
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("there were more than {0} redirects")]
    TooManyRedirects(usize),
    #[error("the server answered {0}")]
    Status(http::StatusCode),
}
