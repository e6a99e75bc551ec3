// SPDX-License-Identifier: Apache-2.0
//! One HTTP/2 connection to a controller, and the requests made on it.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use contracts::{
    Refusal,
    join::{CONTROLLER_NAME, JoinToken},
    node::{Answer, GuestPassword, JoinReply, JoinRequest, Observed, PROTOCOL, RenewRequest, Versions},
};
use http::{HeaderValue, Method, Request, Response, header};
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
use types::{Secret, ServerId};

use super::{Credentials, credentials::certificate_request, tls::joining};
use crate::{Error, Result, error::Doing};

const PATIENCE: Duration = Duration::from_secs(10);
/// For each of the connection and its handshake: another controller may be waiting to be tried.
const CONNECT: Duration = Duration::from_secs(5);
/// Together: a connection whose other end is gone is noticed after at most nine seconds.
const PING_EVERY: Duration = Duration::from_secs(4);
const PING_ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Room for an image to flow while the session's lines pass beside it.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// The other end of a stream may have to come first.
const STREAM_PATIENCE: Duration = Duration::from_secs(30);

/// What is sent with a request.
pub type Sent = UnsyncBoxBody<Bytes, io::Error>;

#[derive(Clone)]
pub struct Client {
    requests: SendRequest<Sent>,
}

impl Client {
    pub async fn connect(address: &str, tls: Arc<ClientConfig>) -> Result<Self> {
        let connecting = || format!("connect to the controller at {address}");
        let stream = timeout(CONNECT, TcpStream::connect(address)).await.map_err(io::Error::from).doing(connecting)?;
        Self::over(stream.doing(connecting)?, tls).await
    }

    /// The same over a stream that somebody else opened.
    pub async fn over(stream: TcpStream, tls: Arc<ClientConfig>) -> Result<Self> {
        let connecting = || "begin to talk to the controller".to_owned();
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
        let bytes = timeout(PATIENCE, exchange).await.map_err(|_| Error::NoAnswer)??;
        serde_json::from_slice(&bytes).map_err(Error::http)
    }

    /// Asks, and leaves the answer's body to be read as it comes.
    pub async fn begin_post<T: Serialize>(&self, path: &str, value: &T) -> Result<Response<Incoming>> {
        let json = serde_json::to_vec(value).map_err(Error::http)?;
        self.send(Method::POST, path, whole(json), PATIENCE).await
    }

    /// Asks for a stream of bytes.
    pub async fn get(&self, path: &str) -> Result<Response<Incoming>> {
        self.send(Method::GET, path, whole(Bytes::new()), STREAM_PATIENCE).await
    }

    /// Sends as it comes and reads as it comes, for as long as either end likes.
    pub async fn join(&self, path: &str, data: Sent) -> Result<Response<Incoming>> {
        self.send(Method::POST, path, data, STREAM_PATIENCE).await
    }

    /// Sends so many bytes, for as long as it takes, and waits for the word that they were taken.
    pub async fn put(&self, path: &str, data: Sent, length: u64) -> Result<()> {
        let mut request = request(Method::PUT, path, "application/octet-stream", data)?;
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        let response = self.requests.clone().send_request(request).await.map_err(Error::http)?;
        accepted(response).await.map(drop)
    }

    /// Returns when the controller has taken it down.
    pub async fn report(&self, observed: &Observed) -> Result<()> {
        self.post::<_, serde_json::Value>("/v1/observed", observed).await.map(drop)
    }

    pub async fn answer(&self, ask: u64, answer: &Answer) -> Result<()> {
        self.post::<_, serde_json::Value>(&format!("/v1/answers/{ask}"), answer).await.map(drop)
    }

    /// Tells what a guest said. The controller keeps the first word of each machine of this node.
    pub async fn say_password(&self, server: &ServerId, password: &GuestPassword) -> Result<()> {
        self.post::<_, serde_json::Value>(&format!("/v1/passwords/{server}"), password).await.map(drop)
    }

    pub async fn renew(&self, credentials: &Credentials) -> Result<JoinReply> {
        let certificate_request = certificate_request(&credentials.key, credentials.node_id.as_str())?;
        self.post("/v1/renew", &RenewRequest { certificate_request }).await
    }

    async fn send(&self, method: Method, path: &str, body: Sent, patience: Duration) -> Result<Response<Incoming>> {
        let request = request(method, path, "application/json", body)?;
        let mut requests = self.requests.clone();
        let response =
            timeout(patience, requests.send_request(request)).await.map_err(|_| Error::NoAnswer)?.map_err(Error::http)?;
        accepted(response).await
    }
}

/// One attempt with each address: once, with a token, to a controller that proves itself by the fingerprint in it. An attempt
/// whose answer was lost can be repeated with the same token and key: the controller knows the key again.
pub async fn join(token: &JoinToken, addresses: &[String], hostname: &str, key: &Secret<String>) -> Result<JoinReply> {
    let request = JoinRequest {
        speaks: Versions::only(PROTOCOL),
        token: token.secret.clone(),
        hostname: hostname.to_owned(),
        certificate_request: certificate_request(key, hostname)?,
    };
    let mut outcome = Err(Error::Unfit("the join token names no controller".into()));
    for address in addresses {
        outcome = match Client::connect(address, joining(&token.authority)?).await {
            Ok(client) => client.post::<_, JoinReply>("/v1/join", &request).await,
            Err(error) => Err(error),
        };
        if outcome.is_ok() {
            break;
        }
    }
    outcome
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
    let after = response.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
    let said = read(response).await?;
    let refusal: Refusal =
        serde_json::from_slice(&said).unwrap_or_else(|_| Refusal::internal(format!("the controller answered {status}")));
    Err(match after {
        Some(seconds) => Error::NotNow { refusal, after: Duration::from_secs(seconds) },
        None => Error::Refused(refusal),
    })
}

async fn read(response: Response<Incoming>) -> Result<Bytes> {
    Ok(response.into_body().collect().await.map_err(Error::http)?.to_bytes())
}
