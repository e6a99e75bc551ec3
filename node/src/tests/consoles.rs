// SPDX-License-Identifier: Apache-2.0
//! Consoles of real machines, by way of a real controller room.

use std::time::Duration;

use bytes::Bytes;
use contracts::{
    Refusal,
    node::{Console, MachineDesired, MachineState, Power},
    nodes::Nodes,
};
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::timeout,
};
use types::{NodeId, ServerId};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
    machine::{pid_of, until},
    port::booted,
};

async fn open(cloud: &Cloud, node: &NodeId, server: &ServerId, console: Console) -> Result<DuplexStream, Refusal> {
    let (go, gone) = mpsc::channel(4);
    let next = |mut gone: mpsc::Receiver<Bytes>| async { gone.recv().await.map(|piece| (Ok(piece), gone)) };
    let shown = cloud.fleet.open_console(node, server, console, Box::pin(stream::unfold(gone, next))).await?;
    let (ours, theirs) = duplex(64 << 10);
    tokio::spawn(bounds::relay(theirs, shown, go));
    Ok(ours)
}

/// As soon as the node is there and has a place.
async fn opened(cloud: &Cloud, node: &NodeId, server: &ServerId, console: Console) -> DuplexStream {
    let opened = async {
        loop {
            match open(cloud, node, server, console).await {
                Ok(opened) => return opened,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(PATIENCE, opened).await.expect("it cannot be opened")
}

async fn read<const N: usize>(console: &mut DuplexStream) -> [u8; N] {
    let mut read = [0; N];
    timeout(PATIENCE, console.read_exact(&mut read)).await.expect("nothing is shown").expect("it has ended");
    read
}

async fn ends(mut console: DuplexStream) {
    let mut rest = Vec::new();
    timeout(PATIENCE, console.read_to_end(&mut rest)).await.expect("it does not end").unwrap();
}

async fn running(cloud: &Cloud, node: &Node, id: &NodeId) -> MachineDesired {
    let machine = guest::machine(cloud, &guest::answering());
    cloud.run(id, &machine).await;
    booted(node, &machine).await;
    machine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_is_shown_and_a_serial_line_is_typed_on_while_its_log_is_kept() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = running(&cloud, &node, &id).await;
    let server = &machine.server_id;

    let mut screen = open(&cloud, &id, server, Console::Screen).await.unwrap();
    assert_eq!(&read::<12>(&mut screen).await, b"RFB 003.008\n");
    screen.write_all(b"RFB 003.008\n").await.unwrap();
    assert_eq!(read::<2>(&mut screen).await, [1, 1], "no authentication: whoever is here has proved who he is");
    screen.write_all(&[1]).await.unwrap();
    assert_eq!(read::<4>(&mut screen).await, [0; 4]);
    // Shared with whoever else looks at it.
    screen.write_all(&[1]).await.unwrap();
    let is = read::<24>(&mut screen).await;
    let (width, height) = (u16::from_be_bytes([is[0], is[1]]), u16::from_be_bytes([is[2], is[3]]));
    let mut name = vec![0; u32::from_be_bytes([is[20], is[21], is[22], is[23]]) as usize];
    screen.read_exact(&mut name).await.unwrap();
    // All of it, and not only what changes.
    let [w, h] = [width, height].map(u16::to_be_bytes);
    screen.write_all(&[3, 0, 0, 0, 0, 0, w[0], w[1], h[0], h[1]]).await.unwrap();
    let frame = read::<4>(&mut screen).await;
    assert_eq!(frame[0], 0, "a frame");
    assert!(u16::from_be_bytes([frame[2], frame[3]]) > 0, "with something in it");

    let mut serial = open(&cloud, &id, server, Console::Serial).await.unwrap();
    let mut beside = open(&cloud, &id, server, Console::Serial).await.unwrap();
    serial.write_all(b"wHO").await.unwrap();
    assert_eq!(&read::<3>(&mut serial).await, b"Who");
    assert_eq!(&read::<3>(&mut beside).await, b"Who");
    let log = node.dir().join("machines").join(server.as_str()).join("console.log");
    until("the log has what was said while the line was open", || std::fs::read_to_string(&log).unwrap().ends_with("Who")).await;

    let stranger = open(&cloud, &id, &ServerId::generate(), Console::Serial).await.unwrap_err();
    assert!(stranger.message.contains("no such machine"), "{stranger}");
    let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(server, MachineState::Stopped).await;
    for console in [screen, serial, beside] {
        ends(console).await;
    }
    let off = open(&cloud, &id, server, Console::Screen).await.unwrap_err();
    assert!(off.message.contains("no process"), "{off}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_ends_with_its_agent_and_its_machine_runs_on_to_be_opened_again() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = running(&cloud, &node, &id).await;
    let server = &machine.server_id;
    let pid = pid_of(node.dir(), server);
    let serial = open(&cloud, &id, server, Console::Serial).await.unwrap();
    let screen = open(&cloud, &id, server, Console::Screen).await.unwrap();
    let config = node.stop().await;
    ends(serial).await;
    ends(screen).await;
    let node = Node::start(config);
    assert_eq!(pid_of(node.dir(), server), pid);
    let mut serial = opened(&cloud, &id, server, Console::Serial).await;
    serial.write_all(b"aGAIN").await.unwrap();
    assert_eq!(&read::<5>(&mut serial).await, b"Again");
    drop(serial);
    // More than there are places: those who went hold none.
    for _ in 0..40 {
        opened(&cloud, &id, server, Console::Serial).await;
        opened(&cloud, &id, server, Console::Screen).await;
    }
    node.stop().await;
}
