// SPDX-License-Identifier: Apache-2.0
//! A question for a node, asked by way of the controller that holds the node's session.
//!
//! It travels to the port where nodes connect, and shows the certificate of a controller; no node has one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use contracts::{
    Refusal,
    join::CONTROLLER_NAME,
    node::{Answer, Ask},
};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use types::NodeId;

use crate::{Error, Fleet, Result};

const CONNECT: Duration = Duration::from_secs(3);
/// Somewhat more than the other controller gives the node.
const PATIENCE: Duration = Duration::from_secs(35);

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Fleet {
    /// Asks the leading controller to ask the node.
    pub(crate) async fn forward(&self, node: &NodeId, ask: &Ask) -> Result<Answer> {
        let addresses = self.inner.store.read(addresses_of_leader).await?;
        let tls = self.inner.authority.client_tls()?;
        for address in &addresses {
            match timeout(PATIENCE, exchange(address, tls.clone(), node, ask)).await {
                Ok(Ok(answered)) => return answered.map_err(Into::into),
                Ok(Err(error)) => tracing::warn!(address, error, "the leading controller is not reached"),
                Err(_) => tracing::warn!(address, "the leading controller does not answer"),
            }
        }
        Err(Refusal::unavailable("the controller that leads cannot be reached now; try again").into())
    }
}

fn addresses_of_leader(tx: &mut store::Tx) -> Result<Vec<String>, Error> {
    let Some(leader) = store::lead::leader(tx)? else { return Ok(Vec::new()) };
    let known = store::lead::controllers(tx)?.into_iter().find(|seen| seen.controller.name == leader.name);
    Ok(known.map(|seen| seen.controller.addresses).unwrap_or_default())
}

async fn exchange(
    address: &str,
    tls: Arc<ClientConfig>,
    node: &NodeId,
    ask: &Ask,
) -> std::result::Result<std::result::Result<Answer, Refusal>, Cause> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    let stream = timeout(CONNECT, TlsConnector::from(tls).connect(ServerName::try_from(CONTROLLER_NAME)?, stream)).await??;
    let (mut requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("https://{CONTROLLER_NAME}/v1/nodes/{node}/asks"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(ask)?)))?;
    let response = requests.send_request(request).await?;
    let answered = response.status().is_success();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(if answered { Ok(serde_json::from_slice(&body)?) } else { Err(serde_json::from_slice(&body)?) })
}
