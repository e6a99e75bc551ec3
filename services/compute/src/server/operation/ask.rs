// SPDX-License-Identifier: Apache-2.0
//! What was asked for, kept as JSON of our own until the operation is over: no type of a contract, which may change with
//! the wire, and with a version, so that one that is open at an upgrade is read by what comes after.

use std::collections::BTreeMap;

use contracts::images::NewSnapshot;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use types::{FlavorId, ImageId, PortId, ProjectId, UserId, VolumeId};

use super::{
    super::{
        ImageNote,
        state::{Power, Reboot},
    },
    Kind,
};
use crate::flavor::Size;

const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Build(BuildAsk),
    Start(PowerAsk),
    Stop(PowerAsk),
    Pause(PowerAsk),
    Unpause(PowerAsk),
    Reboot(RebootAsk),
    Rebuild(RebuildAsk),
    Rescue(RescueAsk),
    Resize(Box<ResizeAsk>),
    CreateImage(ImageAsk),
    Attach(InterfaceAsk),
    Detach(InterfaceAsk),
    AttachVolume(VolumeAsk),
    DetachVolume(VolumeAsk),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BuildAsk {
    /// Their room is told when it runs.
    #[serde(default)]
    pub has_volumes: bool,
}

/// What was wanted before, to go back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PowerAsk {
    pub was: Power,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RebootAsk {
    pub kind: Reboot,
    /// The state in which it was.
    #[serde(default = "active")]
    pub was: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RebuildAsk {
    /// The state in which it was, and what was wanted of it.
    pub was: String,
    pub power: Power,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RescueAsk {
    /// The state in which it was, and what was wanted of it.
    pub was: String,
    pub power: Power,
    /// From which it boots meanwhile.
    pub image_id: ImageId,
    pub image: ImageNote,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResizeAsk {
    /// The state in which it was.
    pub was: String,
    pub from: Kept,
    pub to: Kept,
    /// It is to leave its host, as a migration is.
    pub must_move: bool,
    /// The host that the operator chose.
    pub host: Option<String>,
    /// Where it was, and where it goes, as hosts are called.
    pub from_host: Option<String>,
    pub to_host: Option<String>,
}

/// A flavor as it was when this was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub id: FlavorId,
    pub size: Size,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageAsk {
    pub image: Snapshot,
}

/// The NIC that comes or goes; what it is stands in its claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InterfaceAsk {
    pub port_id: PortId,
    /// The port was deleted, and with it all traffic: its card goes, whether its guest lets go of it or not.
    #[serde(default)]
    pub is_lost: bool,
}

/// The volume that comes or goes; what it is stands in its claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeAsk {
    pub volume_id: VolumeId,
}

/// The image that a snapshot becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub id: ImageId,
    pub owner: ProjectId,
    pub name: String,
    pub min_disk: u64,
    pub min_ram: u64,
    pub properties: BTreeMap<String, String>,
    pub user: UserId,
    pub roles: Vec<String>,
    pub request_id: String,
}

impl Snapshot {
    /// As the image room wants it said.
    pub(crate) fn order(&self) -> NewSnapshot {
        let Self { id, owner, name, min_disk, min_ram, properties, user, roles, request_id } = self.clone();
        NewSnapshot { id, owner, name, min_disk, min_ram, properties, user, roles, request_id }
    }
}

impl Ask {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Build(_) => Kind::Build,
            Self::Start(_) => Kind::Start,
            Self::Stop(_) => Kind::Stop,
            Self::Pause(_) => Kind::Pause,
            Self::Unpause(_) => Kind::Unpause,
            Self::Reboot(_) => Kind::Reboot,
            Self::Rebuild(_) => Kind::Rebuild,
            Self::Rescue(_) => Kind::Rescue,
            Self::Resize(_) => Kind::Resize,
            Self::CreateImage(_) => Kind::CreateImage,
            Self::Attach(_) => Kind::Attach,
            Self::Detach(_) => Kind::Detach,
            Self::AttachVolume(_) => Kind::AttachVolume,
            Self::DetachVolume(_) => Kind::DetachVolume,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut value = match self {
            Self::Build(ask) => json!(ask),
            Self::Start(ask) | Self::Stop(ask) | Self::Pause(ask) | Self::Unpause(ask) => json!(ask),
            Self::Reboot(ask) => json!(ask),
            Self::Rebuild(ask) => json!(ask),
            Self::Rescue(ask) => json!(ask),
            Self::Resize(ask) => json!(ask),
            Self::CreateImage(ask) => json!(ask),
            Self::Attach(ask) | Self::Detach(ask) => json!(ask),
            Self::AttachVolume(ask) | Self::DetachVolume(ask) => json!(ask),
        };
        value["version"] = json!(VERSION);
        value
    }

    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, serde_json::Error> {
        fn of<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
            serde_json::from_str(text)
        }
        Ok(match kind {
            Kind::Build => Self::Build(of(text)?),
            Kind::Start => Self::Start(of(text)?),
            Kind::Stop => Self::Stop(of(text)?),
            Kind::Pause => Self::Pause(of(text)?),
            Kind::Unpause => Self::Unpause(of(text)?),
            Kind::Reboot => Self::Reboot(of(text)?),
            Kind::Rebuild => Self::Rebuild(of(text)?),
            Kind::Rescue => Self::Rescue(of(text)?),
            Kind::Resize => Self::Resize(of(text)?),
            Kind::CreateImage => Self::CreateImage(of(text)?),
            Kind::Attach => Self::Attach(of(text)?),
            Kind::Detach => Self::Detach(of(text)?),
            Kind::AttachVolume => Self::AttachVolume(of(text)?),
            Kind::DetachVolume => Self::DetachVolume(of(text)?),
        })
    }
}

fn active() -> String {
    "active".to_owned()
}

/// An ask of every kind, for tests of all of them.
#[cfg(test)]
pub(super) fn one_of_each() -> Vec<Ask> {
    let image = Snapshot {
        id: ImageId::new("i"),
        owner: ProjectId::new("p"),
        name: "n".to_owned(),
        min_disk: 1,
        min_ram: 1,
        properties: BTreeMap::new(),
        user: UserId::new("u"),
        roles: Vec::new(),
        request_id: "req-1".to_owned(),
    };
    let reboot = |kind| Ask::Reboot(RebootAsk { kind, was: active() });
    let note = ImageNote {
        sha512: "ab".to_owned(),
        format: "qcow2".to_owned(),
        size: 1,
        virtual_size: 1,
        arch: None,
        min_disk: 0,
        min_ram: 0,
        properties: BTreeMap::new(),
    };
    let rescue = RescueAsk { was: active(), power: Power::Running, image_id: ImageId::new("i"), image: note };
    let size = |disk_gb| Size {
        name: "f".to_owned(),
        vcpus: 1,
        memory_mb: 1,
        disk_gb,
        ephemeral_gb: 0,
        swap_mb: 0,
        extra_specs: BTreeMap::new(),
    };
    let flavor = |disk_gb| Kept { id: FlavorId::new("f"), size: size(disk_gb) };
    let resize = ResizeAsk {
        was: active(),
        from: flavor(1),
        to: flavor(2),
        must_move: false,
        host: None,
        from_host: Some("h1".to_owned()),
        to_host: None,
    };
    vec![
        Ask::Rebuild(RebuildAsk { was: "stopped".to_owned(), power: Power::Stopped }),
        Ask::Rescue(rescue),
        Ask::Attach(InterfaceAsk { port_id: PortId::new("p"), is_lost: false }),
        Ask::Detach(InterfaceAsk { port_id: PortId::new("p"), is_lost: true }),
        Ask::Resize(Box::new(resize)),
        Ask::Pause(PowerAsk { was: Power::Running }),
        Ask::Unpause(PowerAsk { was: Power::Paused }),
        Ask::Build(BuildAsk { has_volumes: true }),
        Ask::AttachVolume(VolumeAsk { volume_id: VolumeId::new("v") }),
        Ask::DetachVolume(VolumeAsk { volume_id: VolumeId::new("v") }),
        Ask::Start(PowerAsk { was: Power::Stopped }),
        Ask::Stop(PowerAsk { was: Power::Running }),
        reboot(Reboot::Soft),
        reboot(Reboot::Hard),
        Ask::CreateImage(ImageAsk { image }),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_ask_is_read_as_it_was_written() {
        for ask in one_of_each() {
            let text = ask.to_json().to_string();
            assert!(text.contains("\"version\":1"), "{text}");
            assert_eq!(Ask::read(ask.kind(), &text).unwrap(), ask);
        }
    }
}
