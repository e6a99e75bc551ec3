// SPDX-License-Identifier: Apache-2.0
//! The way of one machine to where it is wanted, step by step; it ends when something newer is wanted.

use bytes::Bytes;
use contracts::node::{Failure, MachineDesired, MachineState, Power, Role, RootDisk};
use http_body_util::{BodyExt, Full};
use node::link::Client;

use crate::{host::Inner, machines::Machines};

/// What goes out as the disk of a machine that has none.
const DISK: &[u8] = &[0; 64 << 10];

pub async fn make_so(host: &Inner, machines: &Machines, client: &Client, wanted: MachineDesired) {
    let (id, generation, manner) = (&wanted.server_id, wanted.generation, host.manner());
    let Some(here) = machines.get(id) else { return };
    let found = |reboots, state| machines.found(id, generation, reboots, state);
    if let Some((cause, how)) = manner.fails {
        found(here.reboots, MachineState::Failed { cause, transient: false, how });
        return;
    }
    let streamed = match &wanted.role {
        Role::Run => run(host, machines, client, &wanted).await,
        Role::KeepDisk => Ok(MachineState::Stopped),
        Role::Receive { ticket } => fetch(client, &ticket.path()).await.map(|()| MachineState::Received),
        Role::Send { ticket } => {
            let disk = Full::new(Bytes::from_static(DISK)).map_err(|never| match never {}).boxed_unsync();
            client.put(&ticket.path(), disk, DISK.len() as u64).await.map(|()| MachineState::Sent).map_err(Into::into)
        }
    };
    match streamed {
        Ok(state) => drop(found(wanted.reboots, state)),
        // The session broke, and the next one begins with all that is wanted.
        Err(error) => tracing::debug!(host = host.hostname, %error, "a stream ended"),
    }
}

/// Until its power is as wanted.
async fn run(host: &Inner, machines: &Machines, client: &Client, wanted: &MachineDesired) -> anyhow::Result<MachineState> {
    let runs = |state: &MachineState| matches!(state, MachineState::Running | MachineState::Paused);
    let here = machines.get(&wanted.server_id).filter(|here| here.generation == wanted.generation);
    let Some(here) = here else { return Ok(MachineState::Stopped) };
    if wanted.root().is_some_and(|root| root.made) && !here.has_disk {
        // As an agent: an empty system in the place of a tenant's data would be no repair.
        let cause = "the machine's disk is not on this host any more".to_owned();
        return Ok(MachineState::Failed { cause, transient: false, how: Failure::Unmade });
    }
    if wanted.power != Power::Stopped && (!runs(&here.state) || here.reboots < wanted.reboots) {
        for step in ["image", "disk", "ports", "start"] {
            // Of a reboot an agent says nothing until it is done.
            if !runs(&here.state) {
                let preparing = MachineState::Preparing { step: step.to_owned() };
                machines.found(&wanted.server_id, wanted.generation, here.reboots, preparing);
            }
            if let ("image", Some(root), false) = (step, wanted.root(), here.has_disk) {
                ensure_image(host, client, root).await?;
            }
            tokio::time::sleep(host.manner().step).await;
        }
    }
    Ok(match wanted.power {
        Power::Running => MachineState::Running,
        Power::Paused => MachineState::Paused,
        Power::Stopped => MachineState::Stopped,
    })
}

/// Fetches the image if this host has none of it yet.
async fn ensure_image(host: &Inner, client: &Client, root: &RootDisk) -> anyhow::Result<()> {
    if host.images().contains(&root.sha512) {
        return Ok(());
    }
    let path = root.ticket.as_ref().map_or_else(|| format!("/v1/images/{}", root.sha512), |ticket| ticket.path());
    fetch(client, &path).await?;
    host.images().insert(root.sha512.clone());
    Ok(())
}

/// Reads a stream to its end.
async fn fetch(client: &Client, path: &str) -> anyhow::Result<()> {
    let mut body = client.get(path).await?.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}
