// SPDX-License-Identifier: Apache-2.0
//! Protocol 2, as agents of that version speak it and wrote it into their ledgers: machines only, each with one root disk.
//!
//! Types that did not change but for fields that an older reader passes over are those of today. When one changes more, its
//! earlier shape moves here.

use serde::{Deserialize, Serialize};
use types::{DatabaseMark, Generation, ImageId, ProjectId, ServerId};

use super::{
    Ask, Device, Found, InstanceMetadata, MachineDesired, MachineObserved, NicDesired, NodeSettings, Observed, Power, RebootKind,
    Role, RootDisk, WatchdogAction,
};

pub const PROTOCOL: u32 = 2;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToNode {
    Desired { node: NodeSettings, machines: Vec<Machine>, released: Vec<ServerId>, database: DatabaseMark },
    Machine { machine: Box<Machine> },
    Released { server_id: ServerId },
    Known { database: DatabaseMark },
    Ask { id: u64, ask: Ask },
    Beat,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub server_id: ServerId,
    pub generation: Generation,
    pub project_id: ProjectId,
    pub power: Power,
    pub reboots: u32,
    pub reboot: RebootKind,
    pub vcpus: u32,
    pub memory_mb: u64,
    pub root: RootDisk,
    pub nics: Vec<NicDesired>,
    pub config_drive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<WatchdogAction>,
    pub metadata: InstanceMetadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<ImageId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub complete: bool,
    pub machines: Vec<MachineObserved>,
}

/// What an agent of protocol 2 cannot be asked, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the agent of this host speaks protocol {PROTOCOL} and cannot {0}; run this cloud's version of ferrostack on the host")]
pub struct Beyond(pub &'static str);

impl TryFrom<MachineDesired> for Machine {
    type Error = Beyond;

    fn try_from(machine: MachineDesired) -> Result<Self, Beyond> {
        match (&machine.role, machine.power) {
            (Role::Run, Power::Running | Power::Stopped) => {}
            (Role::Run, Power::Paused) => return Err(Beyond("pause a machine")),
            (Role::Receive { .. } | Role::Send { .. } | Role::KeepDisk, _) => return Err(Beyond("move a machine")),
        }
        if machine.rescue().is_some() {
            return Err(Beyond("rescue a machine"));
        }
        if machine.disks().next().is_some() {
            return Err(Beyond("have volumes"));
        }
        if machine.kept.is_some() {
            return Err(Beyond("keep a copy of a disk"));
        }
        let root = machine.root().cloned().ok_or(Beyond("run a machine without a root disk"))?;
        Ok(Self {
            nics: machine.nics().cloned().collect(),
            config_drive: machine.has_config_drive(),
            root,
            snapshot: machine.snapshot.map(|snapshot| snapshot.image_id),
            server_id: machine.server_id,
            generation: machine.generation,
            project_id: machine.project_id,
            power: machine.power,
            reboots: machine.reboots,
            reboot: machine.reboot,
            vcpus: machine.vcpus,
            memory_mb: machine.memory_mb,
            watchdog: machine.watchdog,
            metadata: machine.metadata,
        })
    }
}

impl From<Machine> for MachineDesired {
    /// A snapshot that was asked has no ticket here: it goes on when a controller asks it again.
    fn from(machine: Machine) -> Self {
        let config = machine.config_drive.then_some(Device::Config);
        let devices = [Device::Root(machine.root)].into_iter().chain(config).chain(machine.nics.into_iter().map(Device::Nic));
        Self {
            server_id: machine.server_id,
            generation: machine.generation,
            project_id: machine.project_id,
            role: Role::Run,
            exclusive: false,
            power: machine.power,
            reboots: machine.reboots,
            reboot: machine.reboot,
            vcpus: machine.vcpus,
            memory_mb: machine.memory_mb,
            devices: devices.collect(),
            watchdog: machine.watchdog,
            metadata: machine.metadata,
            snapshot: None,
            kept: None,
        }
    }
}

impl From<Report> for Observed {
    fn from(report: Report) -> Self {
        let things = report.machines.into_iter().map(Found::Machine).collect();
        // Such an agent does not say as of when: whoever takes it in has to know that nothing follows from what it leaves out.
        Self { as_of: 0, complete: report.complete, things }
    }
}
