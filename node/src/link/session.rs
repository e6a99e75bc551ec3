// SPDX-License-Identifier: Apache-2.0
//! One session: lines come down, reports go up, questions are answered.

use std::{sync::Arc, time::Duration};

use contracts::node::ToNode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{Client, reporter};
use crate::{Error, Result, host::Host, machines::Machines};

/// The controller says something every few seconds, if only that it is there.
const SILENCE: Duration = Duration::from_secs(10);
/// The desired state of a host with thousands of machines is a few megabytes.
const LONGEST_LINE: usize = 256 << 20;

/// Returns when the controller has taken the session and said what is desired: a report tells of machines that the first
/// line brings, too.
pub(super) async fn begin(client: &Client, host: &Arc<Host>, machines: &Machines) -> Result<Lines> {
    let response = client.begin_post("/v1/session", &host.hello()).await?;
    let mut lines = Lines { body: response.into_body(), buffer: Vec::new() };
    let first = lines.next().await?.ok_or(Error::NotConnected)?;
    hear(first, client, host, machines);
    tracing::info!("a session with the controller began");
    Ok(lines)
}

/// Runs until the stream ends or breaks.
pub(super) async fn hold(mut lines: Lines, client: Client, host: &Arc<Host>, machines: &Machines) -> Result<()> {
    let listen = async {
        while let Some(line) = lines.next().await? {
            hear(line, &client, host, machines);
        }
        Ok(())
    };
    tokio::select! {
        heard = listen => heard,
        reported = reporter::report(&client, host.board()) => reported,
    }
}

fn hear(line: ToNode, client: &Client, host: &Arc<Host>, machines: &Machines) {
    match line {
        ToNode::Desired { node, machines: desired, released, database } => {
            host.link().note_controllers(&node.controllers);
            host.settle(node);
            machines.hear_all(desired, &released);
            host.note_database(database);
        }
        ToNode::Machine { machine } => machines.set(*machine),
        ToNode::Released { server_id } => machines.release(&server_id),
        ToNode::Known { database } => host.note_database(database),
        ToNode::Ask { id, ask } => {
            let (client, machines) = (client.clone(), machines.clone());
            tokio::spawn(async move {
                let answer = machines.answer(ask).await;
                if let Err(error) = client.post::<_, serde_json::Value>(&format!("/v1/answers/{id}"), &answer).await {
                    tracing::warn!(error = error.chain(), "an answer did not reach the controller");
                }
            });
        }
        ToNode::Beat => {}
    }
}

/// The stream, cut into lines.
pub(super) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<ToNode>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = serde_json::from_slice(&self.buffer[..end]).map_err(Error::http)?;
                self.buffer.drain(..=end);
                return Ok(Some(line));
            }
            match timeout(SILENCE, self.body.frame()).await.map_err(Error::http)? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(Error::http)?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(Error::Unfit("the controller sent a line without end".into()));
            }
        }
    }
}
