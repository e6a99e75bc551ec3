// SPDX-License-Identifier: Apache-2.0
//! A question for a node, or a console of it, by way of the controller that holds the node's session.
//!
//! It travels to the port where nodes connect, and shows the certificate of a controller; no node has one.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use contracts::{
    Refusal,
    images::Chunks,
    join::CONTROLLER_NAME,
    node::{Answer, Ask, Console},
};
use futures_util::TryStreamExt;
use http::{Method, Request, Response, header};
use http_body_util::{BodyDataStream, BodyExt, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use types::{NodeId, ServerId};

use crate::{Error, Fleet, Result, listener::Body};

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
        Err(unreachable().into())
    }

    /// A console by way of the leading controller, on a connection of its own.
    pub(crate) async fn forward_console(
        &self,
        node: &NodeId,
        server: &ServerId,
        console: Console,
        typed: Chunks,
    ) -> Result<Chunks> {
        let addresses = self.inner.store.read(addresses_of_leader).await?;
        let tls = self.inner.authority.client_tls()?;
        let mut requests = None;
        for address in &addresses {
            match connect(address, tls.clone()).await {
                Ok(connected) => {
                    requests = Some(connected);
                    break;
                }
                Err(error) => tracing::warn!(address, error, "the leading controller is not reached"),
            }
        }
        let console = match console {
            Console::Screen => "screen",
            Console::Serial => "serial",
        };
        let path = format!("nodes/{node}/consoles/{server}/{console}");
        let typed = StreamBody::new(typed.map_ok(Frame::data)).boxed_unsync();
        let posted = timeout(PATIENCE, post(requests.ok_or_else(unreachable)?, &path, typed)).await;
        let Ok(Ok(response)) = posted else { return Err(unreachable().into()) };
        if response.status().is_success() {
            return Ok(Box::pin(BodyDataStream::new(response.into_body()).map_err(io::Error::other)));
        }
        let said = response.into_body().collect().await.map(|said| said.to_bytes()).unwrap_or_default();
        Err(serde_json::from_slice::<Refusal>(&said).unwrap_or_else(|_| unreachable()).into())
    }
}

fn unreachable() -> Refusal {
    Refusal::unavailable("the controller that leads cannot be reached now; try again")
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
    let json = Full::new(Bytes::from(serde_json::to_vec(ask)?)).map_err(|never| match never {}).boxed_unsync();
    let response = post(connect(address, tls).await?, &format!("nodes/{node}/asks"), json).await?;
    let answered = response.status().is_success();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(if answered { Ok(serde_json::from_slice(&body)?) } else { Err(serde_json::from_slice(&body)?) })
}

async fn connect(address: &str, tls: Arc<ClientConfig>) -> std::result::Result<SendRequest<Body>, Cause> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    let stream = timeout(CONNECT, TlsConnector::from(tls).connect(ServerName::try_from(CONTROLLER_NAME)?, stream)).await??;
    let (requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(requests)
}

async fn post(mut requests: SendRequest<Body>, path: &str, body: Body) -> std::result::Result<Response<Incoming>, Cause> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("https://{CONTROLLER_NAME}/v1/{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)?;
    Ok(requests.send_request(request).await?)
}
