// SPDX-License-Identifier: Apache-2.0
//! One session: the lines that a controller says, one after the other.

use std::time::Duration;

use contracts::node::{Hello, ToNode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Client, lines::Lines};
use crate::{Error, Result};

/// The controller says something every few seconds, if only that it is there.
const SILENCE: Duration = Duration::from_secs(10);
/// The desired state of a host with thousands of machines is a few megabytes.
const LONGEST_LINE: usize = 256 << 20;

pub struct Session {
    body: Incoming,
    lines: Lines,
}

impl Session {
    /// Returns when the controller has taken the session. What it wants is its first line.
    pub async fn begin(client: &Client, hello: &Hello) -> Result<Self> {
        let response = client.begin_post("/v1/session", hello).await?;
        Ok(Self { body: response.into_body(), lines: Lines::default() })
    }

    /// The next line, or none when the controller ended the session. Whoever stops waiting for it loses nothing.
    pub async fn next(&mut self) -> Result<Option<ToNode>> {
        self.next_as().await
    }

    /// The same for whoever speaks an earlier version.
    pub async fn next_as<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(line) = self.lines.next() {
                return serde_json::from_slice(&line).map(Some).map_err(Error::http);
            }
            if self.lines.pending() > LONGEST_LINE {
                return Err(Error::Unfit("the controller sent a line without end".into()));
            }
            match timeout(SILENCE, self.body.frame()).await.map_err(Error::http)? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(Error::http)?.into_data() {
                        self.lines.feed(&data);
                    }
                }
            }
        }
    }
}
