// SPDX-License-Identifier: Apache-2.0
//! The control socket that every daemon of Open vSwitch and OVN listens on; it speaks the same JSON-RPC as OVSDB.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::ovsdb::wire::{self, Message, Splitter};
use crate::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a daemon something, as `ovs-appctl` does, and returns its answer.
pub async fn control(socket: &Path, command: &str, arguments: &[&str]) -> Result<String> {
    let unavailable = |why: String| Error::Unavailable { remote: socket.display().to_string(), why };
    let asked = tokio::time::timeout(PATIENCE, ask(socket, command, arguments)).await;
    let answer = asked.map_err(|_| unavailable("no answer in time".to_owned()))?;
    match answer.map_err(|error| unavailable(error.to_string()))? {
        Ok(text) => Ok(text),
        Err(said) => Err(Error::Program { program: format!("{command} at {}", socket.display()), output: said }),
    }
}

async fn ask(socket: &Path, command: &str, arguments: &[&str]) -> std::io::Result<std::result::Result<String, String>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&wire::request(command, &json!(arguments), 0)).await?;
    let mut splitter = Splitter::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        splitter.push(&buffer);
        if let Some(message) = splitter.next_message() {
            let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
            return match message {
                Ok(Message::Response { answer, .. }) => Ok(answer.map(text).map_err(text)),
                _ => Err(std::io::ErrorKind::InvalidData.into()),
            };
        }
    }
}
