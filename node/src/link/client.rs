// SPDX-License-Identifier: Apache-2.0
//! One HTTP/2 connection to a controller, and the requests made on it.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use contracts::{
    Refusal,
    join::CONTROLLER_NAME,
    node::{JoinReply, RenewRequest},
};
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{Error, Result, error::Doing, identity::Identity};

const PATIENCE: Duration = Duration::from_secs(10);
/// For each of the connection and its handshake: another controller may be waiting to be tried.
const CONNECT: Duration = Duration::from_secs(5);
/// Together: a connection whose other end is gone is noticed after at most nine seconds.
const PING_EVERY: Duration = Duration::from_secs(4);
const PING_ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Room for an image to flow while the session's lines pass beside it.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// What is sent with a request.
pub(crate) type Sent = UnsyncBoxBody<Bytes, io::Error>;

#[derive(Clone)]
pub(crate) struct Client {
    requests: SendRequest<Sent>,
}

impl Client {
    pub async fn connect(address: &str, tls: Arc<ClientConfig>) -> Result<Self> {
        let connecting = || format!("connect to the controller at {address}");
        let stream = timeout(CONNECT, TcpStream::connect(address)).await.map_err(io::Error::from).doing(connecting)?;
        let stream = stream.doing(connecting)?;
        stream.set_nodelay(true).doing(connecting)?;
        let name = ServerName::try_from(CONTROLLER_NAME).map_err(|error| Error::tls("name the controller", error))?;
        let stream = timeout(CONNECT, TlsConnector::from(tls).connect(name, stream)).await.map_err(io::Error::from);
        let stream = stream.doing(connecting)?.doing(connecting)?;
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER_WITHIN)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Error::http)?;
        // Ends by itself when the last request handle is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the controller ended");
            }
        });
        Ok(Self { requests })
    }

    /// Asks and reads the whole answer.
    pub async fn post<T: Serialize, R: DeserializeOwned>(&self, path: &str, value: &T) -> Result<R> {
        let exchange = async { read(self.begin_post(path, value).await?).await };
        let bytes = timeout(PATIENCE, exchange).await.map_err(Error::http)??;
        serde_json::from_slice(&bytes).map_err(Error::http)
    }

    /// Asks, and leaves the answer's body to be read as it comes.
    pub async fn begin_post<T: Serialize>(&self, path: &str, value: &T) -> Result<Response<Incoming>> {
        let json = serde_json::to_vec(value).map_err(Error::http)?;
        self.send(Method::POST, path, whole(json)).await
    }

    pub async fn get(&self, path: &str) -> Result<Response<Incoming>> {
        self.send(Method::GET, path, whole(Bytes::new())).await
    }

    /// Sends data, for as long as it takes, and waits for the word that they were taken.
    pub async fn put(&self, path: &str, data: Sent) -> Result<()> {
        let request = request(Method::PUT, path, "application/octet-stream", data)?;
        let response = self.requests.clone().send_request(request).await.map_err(Error::http)?;
        accepted(response).await.map(drop)
    }

    pub async fn renew(&self, identity: &Identity) -> Result<Identity> {
        let request = RenewRequest { certificate_request: identity.certificate_request()? };
        let reply: JoinReply = self.post("/v1/renew", &request).await?;
        identity.renewed(reply)
    }

    async fn send(&self, method: Method, path: &str, body: Sent) -> Result<Response<Incoming>> {
        let request = request(method, path, "application/json", body)?;
        let mut requests = self.requests.clone();
        let response = timeout(PATIENCE, requests.send_request(request)).await.map_err(Error::http)?.map_err(Error::http)?;
        accepted(response).await
    }
}

fn request(method: Method, path: &str, content_type: &'static str, body: Sent) -> Result<Request<Sent>> {
    let request = Request::builder().method(method).uri(format!("https://{CONTROLLER_NAME}{path}"));
    request.header(header::CONTENT_TYPE, content_type).body(body).map_err(Error::http)
}

fn whole(body: impl Into<Bytes>) -> Sent {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let said = read(response).await?;
    let refusal = serde_json::from_slice(&said);
    Err(Error::Refused(refusal.unwrap_or_else(|_| Refusal::internal(format!("the controller answered {status}")))))
}

async fn read(response: Response<Incoming>) -> Result<Bytes> {
    Ok(response.into_body().collect().await.map_err(Error::http)?.to_bytes())
}
