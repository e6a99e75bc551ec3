// SPDX-License-Identifier: Apache-2.0
//! Why a guest stands still although nobody paused it: QEMU's own word, and what it says about it.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::Machine;
use crate::qmp::Qmp;
use crate::{Accelerator, Result, RunState};

/// As much of QEMU's log as may hold what it said last: it prints all registers behind it.
const LOG_TAIL: u64 = 16 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The accelerator cannot run the guest on.
    Accelerator { kind: Accelerator, said: String },
    /// The guest's kernel said so itself, by the device that is there for it.
    GuestPanicked,
    /// The guest did not feed its watchdog, which then paused it as its owner wished.
    Watchdog,
    /// A disk cannot be read or written now; the request waits.
    Disk { disk: String, full: bool },
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accelerator { kind: Accelerator::Kvm, said } => write!(out, "KVM cannot run the guest on: {said}"),
            Self::Accelerator { kind: Accelerator::Tcg, said } => write!(out, "QEMU cannot run the guest on: {said}"),
            Self::GuestPanicked => out.write_str("the guest's kernel panicked; its console may say why"),
            Self::Watchdog => out.write_str("the guest did not feed its watchdog, which paused it"),
            Self::Disk { disk, full: true } => {
                write!(out, "the disk {disk} has no room left on its host: the guest is paused, and goes on when there is some")
            }
            Self::Disk { disk, full: false } => {
                write!(out, "the disk {disk} cannot be read or written: the guest is paused, and tried again")
            }
        }
    }
}

impl Machine {
    /// What keeps the guest from running in this state, if anything does.
    pub async fn trouble(&self, state: RunState) -> Result<Option<Trouble>> {
        trouble(self.qmp(), state, &self.run_dir().log()).await
    }
}

async fn trouble(qmp: &Qmp, state: RunState, log: &Path) -> Result<Option<Trouble>> {
    Ok(match state {
        RunState::InternalError => Some(Trouble::Accelerator { kind: qmp.accelerator().await?, said: last_error(log) }),
        RunState::GuestPanicked => Some(Trouble::GuestPanicked),
        RunState::Watchdog => Some(Trouble::Watchdog),
        RunState::IoError => Some(failing_disk(qmp).await?),
        _ => None,
    })
}

async fn failing_disk(qmp: &Qmp) -> Result<Trouble> {
    let devices: Vec<Value> = qmp.execute("query-block", Value::Null).await?;
    let status = |device: &Value| device["io-status"].as_str().unwrap_or("ok").to_owned();
    let failing = devices.iter().find(|device| status(device) != "ok");
    let node = failing.and_then(|device| device["inserted"]["node-name"].as_str()).unwrap_or_default();
    // Of a volume it is the beginning of its id.
    let disk = node.strip_prefix("node-").or_else(|| node.strip_prefix("vol-")?.split('-').next()).unwrap_or(node).to_owned();
    Ok(Trouble::Disk { disk, full: failing.is_some_and(|device| status(device) == "nospace") })
}

/// QEMU's last word on its accelerator.
fn last_error(log: &Path) -> String {
    let tail = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        let mut text = Vec::new();
        file.take(LOG_TAIL).read_to_end(&mut text)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    let text = tail().unwrap_or_default();
    let is_error = |line: &&str| line.contains("internal error") || line.contains("kvm run failed");
    text.lines().rev().find(is_error).unwrap_or("internal error").trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixStream;

    use super::*;

    /// A QEMU that is in this state under KVM, as it says so itself: there are machines with no KVM to provoke it on.
    async fn speak(socket: UnixStream, state: &str) {
        let (read, mut write) = socket.into_split();
        let version = json!({"qemu": {"major": 10, "minor": 0, "micro": 2}, "package": ""});
        let greeting = json!({"QMP": {"version": version, "capabilities": ["oob"]}});
        write.write_all(format!("{greeting}\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(read).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            let command: Value = serde_json::from_str(&line).unwrap();
            let answer = match command["execute"].as_str().unwrap() {
                "query-status" => json!({"status": state, "running": false}),
                "query-kvm" => json!({"enabled": true, "present": true}),
                _ => json!({}),
            };
            let answer = json!({"return": answer, "id": command["id"]});
            write.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_kvm_that_fails_is_told_with_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::write(&log, "warning: old\nKVM internal error. Suberror: 1\nextra data[0]: 0x1\nEAX=00000000\n").unwrap();
        for (state, said) in [
            ("internal-error", Some("KVM cannot run the guest on: KVM internal error. Suberror: 1")),
            ("watchdog", Some("the guest did not feed its watchdog, which paused it")),
            ("running", None),
            ("paused", None),
        ] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let peer = tokio::spawn(speak(theirs, state));
            let qmp = Qmp::converse(ours).await.unwrap();
            let found = trouble(&qmp, qmp.run_state().await.unwrap(), &log).await.unwrap();
            assert_eq!(found.map(|trouble| trouble.to_string()).as_deref(), said);
            drop(qmp);
            peer.abort();
        }
    }
}
