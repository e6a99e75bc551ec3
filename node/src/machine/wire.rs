// SPDX-License-Identifier: Apache-2.0
//! The machine's ports.

use contracts::node::MachineDesired;
use qemu::{Machine, MachineSpec, Nic};

use super::task::Task;
use crate::Result;

impl Task {
    pub(super) async fn note_ports(&mut self, _desired: &MachineDesired) -> Result<()> {
        Ok(())
    }

    pub(super) fn nics(&self, _desired: &MachineDesired) -> Result<Vec<Nic>> {
        Ok(Vec::new())
    }

    pub(super) async fn launch_and_wire(&self, _desired: &MachineDesired, spec: MachineSpec) -> Result<Machine> {
        self.launch(spec).await
    }

    pub(super) async fn wire(&mut self, _desired: &MachineDesired) -> Result<()> {
        Ok(())
    }

    pub(super) async fn unwire(&mut self) -> Result<()> {
        Ok(())
    }
}
