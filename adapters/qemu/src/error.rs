// SPDX-License-Identifier: Apache-2.0
//! Everything that can go wrong between us and QEMU, as sentences.

use std::io;
use std::time::Duration;

use uuid::Uuid;

use crate::qmp::ErrorClass;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },

    /// QEMU understood the command and refused it.
    #[error("QEMU refused {command} ({class}): {description}")]
    Refused { command: String, class: ErrorClass, description: String },

    /// The process ended, or something else closed the socket.
    #[error("the machine's QMP connection is closed")]
    Closed,

    #[error("QEMU did not speak QMP: {0}")]
    Protocol(String),

    #[error("gave up waiting to {doing} after {after:?}")]
    Deadline { doing: String, after: Duration },

    #[error("machine {id} already has a QEMU process")]
    AlreadyRunning { id: Uuid },

    /// What QEMU wrote on its way out is the only explanation there is, so it is carried along.
    #[error("QEMU of machine {id} ended before it answered ({exit}): {said}")]
    Died { id: Uuid, exit: String, said: String },

    #[error("the disk was not copied whole: {0}")]
    Backup(String),

    #[error("layers of a volume were not merged: {0}")]
    Merge(String),

    #[error("the storage daemon of volume {id} ended before it answered ({exit}): {said}")]
    DaemonDied { id: Uuid, exit: String, said: String },

    #[error("this machine cannot be described to QEMU: {0}")]
    Spec(String),
}

types::doing!(Error);
