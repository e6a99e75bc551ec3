// SPDX-License-Identifier: Apache-2.0
//! One session: what the controller says is done, and what was done is reported.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use contracts::node::{Answer, Ask, MachineState, Spec, Thing, ToNode, Want, earlier};
use node::{
    board,
    link::{Client, Session},
};
use tokio::net::{TcpSocket, lookup_host};

use crate::{host::Inner, machine, machines::Machines};

/// Runs until the session breaks.
pub async fn hold(host: &Arc<Inner>) -> anyhow::Result<()> {
    let client = connect(host).await?;
    let host = &Side { host: host.clone(), machines: host.machines(), client };
    let hello = host.host.hello(host.machines.held());
    let session = Session::begin(&host.client, &hello).await?;
    if hello.speaks.newest == earlier::PROTOCOL {
        return converse_in_earlier_words(host, session).await;
    }
    converse(host, session).await
}

/// What the lines of a session are about.
#[derive(Clone)]
struct Side {
    host: Arc<Inner>,
    machines: Arc<Machines>,
    client: Client,
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

async fn converse(side: &Side, mut session: Session) -> anyhow::Result<()> {
    let as_of = AtomicU64::new(0);
    // A report tells of machines that the first word on what is wanted brings, too.
    while as_of.load(Ordering::Acquire) == 0 {
        let Some(line) = session.next().await? else { return Ok(()) };
        hear(side, &as_of, line);
    }
    side.host.connected.send_replace(true);
    let listen = async {
        while let Some(line) = session.next().await? {
            hear(side, &as_of, line);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        heard = listen => heard,
        reported = board::report(&side.client, &side.machines.board, &as_of) => Ok(reported?),
    }
}

fn hear(side: &Side, as_of: &AtomicU64, line: ToNode) {
    match line {
        ToNode::Welcome { .. } | ToNode::Beat { .. } => {}
        ToNode::Desired { seq, things, database, .. } => {
            things.into_iter().for_each(|thing| side.take(thing));
            side.host.note(database);
            as_of.store(seq, Ordering::Release);
        }
        ToNode::Ask { id, ask } => side.answer(id, ask),
    }
}

/// As an agent of the protocol before this one speaks, which says of everything how it is whenever something changed.
async fn converse_in_earlier_words(side: &Side, mut session: Session) -> anyhow::Result<()> {
    let Some(first) = session.next_as().await? else { return Ok(()) };
    hear_earlier(side, first);
    side.host.connected.send_replace(true);
    let listen = async {
        while let Some(line) = session.next_as().await? {
            hear_earlier(side, line);
        }
        anyhow::Ok(())
    };
    let report = async {
        loop {
            let mark = side.machines.board.mark();
            let report = earlier::Report { complete: true, machines: side.machines.observed() };
            side.client.post::<_, serde_json::Value>("/v1/observed", &report).await?;
            side.machines.board.changed_after(mark).await;
        }
    };
    tokio::select! {
        heard = listen => heard,
        reported = report => reported,
    }
}

fn hear_earlier(side: &Side, line: earlier::ToNode) {
    match line {
        earlier::ToNode::Desired { machines, released, database, .. } => {
            machines.into_iter().for_each(|machine| side.take(Thing::machine(machine.into())));
            released.iter().for_each(|id| side.machines.release(id));
            side.host.note(database);
        }
        earlier::ToNode::Machine { machine } => side.take(Thing::machine((*machine).into())),
        earlier::ToNode::Released { server_id } => side.machines.release(&server_id),
        earlier::ToNode::Known { database } => side.host.note(database),
        earlier::ToNode::Ask { id, ask } => side.answer(id, ask),
        earlier::ToNode::Beat => {}
    }
}

impl Side {
    fn take(&self, thing: Thing) {
        match thing.want {
            Want::Released => {
                if let Some(server) = thing.id.server() {
                    self.machines.release(&server);
                }
            }
            Want::Present(Spec::Volume(_)) => {}
            Want::Present(Spec::Machine(wanted)) => {
                if self.host.manner().sleeps || !self.machines.want(&wanted) {
                    return;
                }
                let Self { host, machines, client } = self.clone();
                tokio::spawn(async move { machine::make_so(&host, &machines, &client, *wanted).await });
            }
        }
    }

    fn answer(&self, id: u64, ask: Ask) {
        let (client, answer) = (self.client.clone(), answer(&self.host, &self.machines, ask));
        tokio::spawn(async move {
            if let Err(error) = client.answer(id, &answer).await {
                tracing::debug!(%error, "an answer did not reach the controller");
            }
        });
    }
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
        Ask::OpenConsole { .. } => Answer::Refused { message: "a simulated machine has no console".into() },
        Ask::RemoveDevice { name } => Answer::Refused { message: format!("there is no {name} here") },
    }
}
