// SPDX-License-Identifier: Apache-2.0
//! Volumes as QEMU sees them: the nodes of its block layer, the same in a machine and in a storage daemon.
//!
//! A volume is a chain of layers, of which only the highest is written. Each is named with its format, from the lowest up:
//! nothing is probed, and what a header names below itself is not looked at. Each has a name that tells the volume and the layer,
//! so that whoever comes after a crash finds what there is by asking QEMU.

mod jobs;
mod nodes;

use std::path::PathBuf;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{DiskFormat, Result, error::Error};

pub use jobs::{Merge, Merging};
pub use nodes::Node;

/// How long requests wait for a connection that was lost before they fail.
const RECONNECT_SECONDS: u32 = 10;
/// Letters of an id that a name holds: QEMU's names are short.
const LETTERS: usize = 12;

/// Where the data of a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Layers(Vec<Layer>),
    /// Behind a socket of this host, as seen from the run directory.
    Socket(PathBuf),
    /// On another host.
    Remote(Remote),
}

/// One file of a volume. The lowest comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Twelve hex digits.
    pub id: String,
    pub path: PathBuf,
    pub format: DiskFormat,
}

/// An export of another host, over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub host: String,
    pub port: u16,
    /// What the certificate there must be for.
    pub peer: String,
}

/// What an export of a volume is called.
pub fn export_name(volume: Uuid) -> String {
    volume.to_string()
}

/// What the names of a volume's nodes begin with.
pub fn prefix(volume: Uuid) -> String {
    format!("vol-{}-", &volume.simple().to_string()[..LETTERS])
}

impl Source {
    /// What the highest node is called.
    pub fn node(&self, volume: Uuid) -> Result<String> {
        match self {
            Self::Layers(layers) => Ok(layers.last().ok_or_else(|| Error::Spec("a volume without layers".into()))?.node(volume)),
            Self::Socket(_) | Self::Remote(_) => Ok(format!("{}nbd", prefix(volume))),
        }
    }

    /// As QEMU is told of it.
    pub fn describe(&self, volume: Uuid, read_only: bool) -> Result<Value> {
        let name = self.node(volume)?;
        let nbd = |server: Value| {
            json!({
                "driver": "nbd", "node-name": name, "server": server, "export": export_name(volume), "read-only": read_only,
                "reconnect-delay": RECONNECT_SECONDS, "discard": "unmap",
            })
        };
        match self {
            Self::Layers(layers) => describe(layers, volume, read_only),
            Self::Socket(path) => Ok(nbd(json!({ "type": "unix", "path": utf8(path)? }))),
            Self::Remote(Remote { host, port, peer }) => {
                let mut node = nbd(json!({ "type": "inet", "host": host, "port": port.to_string() }));
                node["tls-creds"] = crate::storage::TLS.into();
                node["tls-hostname"] = peer.as_str().into();
                Ok(node)
            }
        }
    }
}

/// All but the highest are read only, whatever that is.
fn describe(layers: &[Layer], volume: Uuid, read_only: bool) -> Result<Value> {
    let mut below = Value::Null;
    for (number, layer) in layers.iter().enumerate() {
        let is_highest = number + 1 == layers.len();
        let mut node = layer.describe(read_only || !is_highest)?;
        if layer.format == DiskFormat::Qcow2 {
            node["backing"] = below;
        }
        node["node-name"] = layer.node(volume).into();
        below = node;
    }
    Ok(below)
}

impl Layer {
    /// What it is called as a part of this volume. Others may rest on the same file.
    pub fn node(&self, volume: Uuid) -> String {
        format!("{}{}", prefix(volume), self.id)
    }

    /// Without what is below it.
    fn describe(&self, read_only: bool) -> Result<Value> {
        let driver = match self.format {
            DiskFormat::Raw => "raw",
            DiskFormat::Qcow2 => "qcow2",
        };
        Ok(json!({
            "driver": driver, "read-only": read_only, "discard": "unmap",
            // The file follows its layer: one that is frozen while it is open is opened anew to be read only, which is all that its user
            // may then, and one that is merged into to be written.
            "file": { "driver": "file", "filename": utf8(&self.path)?, "auto-read-only": true, "discard": "unmap" },
        }))
    }
}

fn utf8(path: &std::path::Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::Spec(format!("{} is not UTF-8", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_named_with_its_format_and_only_the_highest_is_written() {
        let layer = |id: &str, format| Layer { id: id.into(), path: format!("/v/{id}").into(), format };
        let base = Layer { id: "base".into(), path: "/v/base, \"b".into(), format: DiskFormat::Raw };
        let chain = Source::Layers(vec![base, layer("one", DiskFormat::Qcow2), layer("two", DiskFormat::Qcow2)]);
        let volume = Uuid::from_u128(7);
        let said = chain.describe(volume, false).unwrap();
        assert_eq!((&said["node-name"], &said["read-only"]), (&"vol-000000000000-two".into(), &false.into()));
        let (one, base) = (&said["backing"], &said["backing"]["backing"]);
        assert_eq!((&one["driver"], &one["read-only"], one["file"].get("read-only")), (&"qcow2".into(), &true.into(), None));
        assert_eq!((&base["driver"], &base["file"]["filename"]), (&"raw".into(), &"/v/base, \"b".into()));
        assert_eq!(base.get("backing"), None, "raw has none");
        assert_eq!(chain.describe(volume, true).unwrap()["read-only"], true);

        // What rests on nothing says so, or QEMU would believe the file's header.
        let alone = Source::Layers(vec![layer("one", DiskFormat::Qcow2)]);
        assert_eq!(alone.describe(volume, false).unwrap().get("backing"), Some(&Value::Null));
        assert!(alone.node(Uuid::new_v4()).unwrap().len() <= 31, "QEMU's names are not longer");
    }
}
