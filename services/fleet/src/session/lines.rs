// SPDX-License-Identifier: Apache-2.0
//! The stream of a session, from the side that writes, in the version that its node speaks.

use std::{io, time::Duration};

use bytes::Bytes;
use contracts::node::{PROTOCOL, ToNode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::{sync::mpsc, time::timeout};

use super::earlier::{Earlier, Unsaid};
use crate::listener::Body;

/// A node that does not take a line for so long is as good as dead.
const STALLED: Duration = Duration::from_secs(10);
const LINES_AHEAD: usize = 16;

type Line = Result<Frame<Bytes>, io::Error>;

pub(crate) struct Lines {
    stream: mpsc::Sender<Line>,
    /// None for a node that speaks as we do.
    earlier: Option<Earlier>,
}

/// The stream cannot be written any more.
pub(super) struct Closed;

impl Lines {
    pub fn new(protocol: u32) -> (Self, Body) {
        let (stream, receiver) = mpsc::channel(LINES_AHEAD);
        let body = futures_util::stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Line>| {
            receiver.recv().await.map(|line| (line, receiver))
        });
        let earlier = (protocol < PROTOCOL).then(Earlier::default);
        (Self { stream, earlier }, StreamBody::new(body).boxed_unsync())
    }

    /// Answers what could not be put into the node's words.
    pub(super) async fn say(&mut self, line: ToNode) -> Result<Vec<Unsaid>, Closed> {
        match &mut self.earlier {
            None => self.write(&line).await.map(|()| Vec::new()),
            Some(earlier) => {
                let (lines, unsaid) = earlier.words(line);
                for line in &lines {
                    self.write(line).await?;
                }
                Ok(unsaid)
            }
        }
    }

    pub(super) async fn closed(&self) {
        self.stream.closed().await;
    }

    async fn write(&self, line: &impl Serialize) -> Result<(), Closed> {
        let mut json = serde_json::to_vec(line).map_err(|_| Closed)?;
        json.push(b'\n');
        match timeout(STALLED, self.stream.send(Ok(Frame::data(json.into())))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Closed),
        }
    }
}
