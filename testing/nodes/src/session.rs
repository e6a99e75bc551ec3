// SPDX-License-Identifier: Apache-2.0
//! One session: what the controller says is done, and what was done is reported.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use contracts::node::{Answer, Ask, MachineDesired, MachineState, Power, ToNode};
use http_body_util::BodyExt;
use node::{
    board,
    link::{Client, Session},
};
use tokio::net::{TcpSocket, lookup_host};

use crate::{host::Inner, machines::Machines};

/// Runs until the session breaks.
pub async fn hold(host: &Arc<Inner>) -> anyhow::Result<()> {
    let client = connect(host).await?;
    let machines = host.machines();
    let mut session = Session::begin(&client, &host.hello()).await?;
    // A report tells of machines that the first line brings, too.
    let Some(first) = session.next().await? else { return Ok(()) };
    hear(host, &machines, &client, first);
    host.connected.send_replace(true);
    let listen = async {
        while let Some(line) = session.next().await? {
            hear(host, &machines, &client, line);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        heard = listen => heard,
        reported = board::report(&client, &machines.board) => Ok(reported?),
    }
}

/// On the loopback from an address of its own: the controller gives each only so many places.
async fn connect(host: &Inner) -> anyhow::Result<Client> {
    let controller = host.controller().context("the join token names no controller")?;
    let to = lookup_host(controller).await?.next().with_context(|| format!("look up {controller}"))?;
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if to.is_ipv4() && to.ip().is_loopback() {
        socket.bind(SocketAddr::new(host.address, 0))?;
    }
    let stream = socket.connect(to).await.with_context(|| format!("connect to {controller}"))?;
    Ok(Client::over(stream, host.tls.clone()).await?)
}

fn hear(host: &Arc<Inner>, machines: &Arc<Machines>, client: &Client, line: ToNode) {
    match line {
        ToNode::Desired { machines: desired, released, database, .. } => {
            desired.into_iter().for_each(|machine| take(host, machines, client, machine));
            released.iter().for_each(|id| machines.release(id));
            host.note(database);
        }
        ToNode::Machine { machine } => take(host, machines, client, *machine),
        ToNode::Released { server_id } => machines.release(&server_id),
        ToNode::Known { database } => host.note(database),
        ToNode::Ask { id, ask } => {
            let (client, answer) = (client.clone(), answer(host, machines, ask));
            tokio::spawn(async move {
                if let Err(error) = client.answer(id, &answer).await {
                    tracing::debug!(%error, "an answer did not reach the controller");
                }
            });
        }
        ToNode::Beat => {}
    }
}

fn take(host: &Arc<Inner>, machines: &Arc<Machines>, client: &Client, wanted: MachineDesired) {
    if host.manner().sleeps || !machines.want(&wanted) {
        return;
    }
    let (host, machines, client) = (host.clone(), machines.clone(), client.clone());
    tokio::spawn(async move { make_so(&host, &machines, &client, wanted).await });
}

/// The way of a machine to where it is wanted, step by step; ends when something newer is wanted.
async fn make_so(host: &Inner, machines: &Machines, client: &Client, wanted: MachineDesired) {
    let (id, generation, manner) = (&wanted.server_id, wanted.generation, host.manner());
    let Some(here) = machines.get(id) else { return };
    if let Some((cause, how)) = manner.fails {
        machines.found(id, generation, here.reboots, MachineState::Failed { cause, transient: false, how });
        return;
    }
    let runs = here.state == MachineState::Running;
    if wanted.power == Power::Running && (!runs || here.reboots < wanted.reboots) {
        for step in ["image", "disk", "ports", "start"] {
            let preparing = MachineState::Preparing { step: step.to_owned() };
            // Of a reboot an agent says nothing until it is done.
            if !runs && !machines.found(id, generation, here.reboots, preparing) {
                return;
            }
            if step == "image" && !has_image(host, client, &wanted.root.sha512).await {
                // The session broke, and the next one begins with all that is wanted.
                return;
            }
            tokio::time::sleep(manner.step).await;
        }
    }
    let state = if wanted.power == Power::Running { MachineState::Running } else { MachineState::Stopped };
    machines.found(id, generation, wanted.reboots, state);
}

/// Fetches the image if this host has none of it yet.
async fn has_image(host: &Inner, client: &Client, sha512: &str) -> bool {
    if host.images().contains(sha512) {
        return true;
    }
    let fetched = async {
        let mut body = client.get(&format!("/v1/images/{sha512}")).await?.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        anyhow::Ok(())
    };
    if let Err(error) = fetched.await {
        tracing::debug!(host = host.hostname, %error, "an image is not fetched");
        return false;
    }
    host.images().insert(sha512.to_owned());
    true
}

fn answer(host: &Inner, machines: &Machines, ask: Ask) -> Answer {
    match ask {
        Ask::ConsoleLog { server_id, .. } => Answer::ConsoleLog { text: format!("{server_id} runs on {}\n", host.hostname) },
        Ask::Inventory => {
            let machines = machines.all();
            let running = machines.iter().filter(|(_, machine)| machine.state == MachineState::Running);
            Answer::Inventory {
                processes: running.map(|(id, _)| id.to_string()).collect(),
                taps: Vec::new(),
                machines: machines.keys().map(|id| (id.to_string(), Vec::new())).collect(),
                switch_ports: Vec::new(),
                namespaces: Vec::new(),
            }
        }
        Ask::RemoveDevice { name } => Answer::Refused { message: format!("there is no {name} here") },
    }
}
