// SPDX-License-Identifier: Apache-2.0
//! Those at the nodes' port who are none.

use std::time::Duration;

use contracts::join::JoinToken;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::cloud::{Cloud, PATIENCE};
use crate::link::joining;

/// On a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// From the very address that the nodes come from.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_port_keep_no_node_out() {
    let cloud = Cloud::start().await;
    let one = cloud.node("one").await;
    let token: JoinToken = cloud.token().await.parse().unwrap();
    let connector = TlsConnector::from(joining(&token.authority).unwrap());
    let (mut half_open, mut silent) = (Vec::new(), Vec::new());
    for number in 0..200 {
        let mut stream = TcpStream::connect(&cloud.address).await.unwrap();
        if number % 4 > 0 {
            // The beginning of a handshake, or nothing.
            let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02][..number % 4]).await;
            half_open.push(stream);
        } else if let Ok(mut stream) = connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await {
            let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
            silent.push(stream);
        }
    }
    assert!(silent.len() > 10, "{}", silent.len());
    let two = timeout(SOON, cloud.node("two")).await.expect("a node joins while they are there");
    assert!(cloud.facts("one").await.unwrap().up, "and the other one never noticed");
    // Who is silent is cut off, sooner or later.
    let cut = async {
        for mut stream in half_open {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    };
    timeout(PATIENCE, cut).await.expect("half a handshake is cut off");
    drop(silent);
    two.stop().await;
    one.stop().await;
}
