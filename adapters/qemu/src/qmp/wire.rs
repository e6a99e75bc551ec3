// SPDX-License-Identifier: Apache-2.0
//! QMP on the wire: one JSON object a line, in both directions.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::Version;
use crate::Result;
use crate::error::{Doing, Error};

/// A guest that took over its QEMU must not be able to eat our memory with an endless line.
const LONGEST_LINE: usize = 16 << 20;

/// Any line that QEMU sends. Which fields are there says what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(rename = "QMP")]
    pub greeting: Option<Greeting>,
    pub id: Option<u64>,
    #[serde(rename = "return")]
    pub ret: Option<Value>,
    pub error: Option<Failure>,
    pub event: Option<String>,
    #[serde(default)]
    pub data: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Greeting {
    pub version: GreetingVersion,
}

#[derive(Debug, Deserialize)]
pub(super) struct GreetingVersion {
    pub qemu: Version,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub class: ErrorClass,
    pub desc: String,
}

/// QEMU promises to keep these apart; the description beside them is for people only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum ErrorClass {
    Generic,
    CommandNotFound,
    DeviceNotActive,
    DeviceNotFound,
    KvmMissingCap,
    Other(String),
}

impl From<String> for ErrorClass {
    fn from(name: String) -> Self {
        match name.as_str() {
            "GenericError" => Self::Generic,
            "CommandNotFound" => Self::CommandNotFound,
            "DeviceNotActive" => Self::DeviceNotActive,
            "DeviceNotFound" => Self::DeviceNotFound,
            "KVMMissingCap" => Self::KvmMissingCap,
            _ => Self::Other(name),
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Generic => "generic error",
            Self::CommandNotFound => "command not found",
            Self::DeviceNotActive => "device not active",
            Self::DeviceNotFound => "device not found",
            Self::KvmMissingCap => "KVM capability missing",
            Self::Other(name) => name,
        })
    }
}

impl Message {
    pub fn parse(line: &[u8]) -> Result<Self> {
        serde_json::from_slice(line).map_err(|error| Error::Protocol(error.to_string()))
    }
}

/// A command as the line that goes out.
pub(super) fn command_line(id: u64, command: &str, arguments: Value) -> Vec<u8> {
    let mut message = json!({ "execute": command, "id": id });
    if !arguments.is_null() {
        message["arguments"] = arguments;
    }
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// The next line without its end, or `None` when the other side has closed.
pub(super) async fn read_line(socket: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let chunk = match socket.fill_buf().await {
            // A process that dies with our command unread resets the connection: closed all the same.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
            chunk => chunk.doing(|| "read from the QMP socket".into())?,
        };
        if chunk.is_empty() {
            return Ok(None);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(chunk.len());
        if line.len() + taken > LONGEST_LINE {
            return Err(Error::Protocol(format!("a line of more than {LONGEST_LINE} bytes")));
        }
        line.extend_from_slice(&chunk[..taken]);
        socket.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}
