// SPDX-License-Identifier: Apache-2.0
//! A client of one controller: requests over HTTP, each on a connection of its own.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub token: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    asked: String,
}

impl Client {
    /// The administrator, logged in.
    pub async fn log_in(address: SocketAddr, password: &str) -> Self {
        let nobody = Self { address, token: String::new() };
        let user = json!({"name": "admin", "domain": {"id": "default"}, "password": password});
        let scope = json!({"project": {"name": "admin", "domain": {"id": "default"}}});
        let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}});
        let answer = nobody.send("POST", "/identity/v3/auth/tokens", login).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        Self { address, token: answer.headers["x-subject-token"].to_str().unwrap().to_owned() }
    }

    /// The same caller, at another controller.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, token: self.token.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send_bytes("GET", path, Bytes::new()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send_bytes("DELETE", path, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, document: Value) -> Answer {
        self.send("POST", path, document).await
    }

    pub async fn send(&self, method: &str, path: &str, document: Value) -> Answer {
        self.send_bytes(method, path, document.to_string().into()).await
    }

    pub async fn send_bytes(&self, method: &str, path: &str, body: Bytes) -> Answer {
        let asked = format!("{method} {path}");
        let exchange = async {
            let (parts, body) = self.open(method, path, body).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Answer { status: parts.status.as_u16(), headers: parts.headers, body, asked: asked.clone() }
        };
        timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("{asked} was not answered in {PATIENCE:?}"))
    }

    /// An answer whose body still comes.
    pub async fn open(&self, method: &str, path: &str, body: Bytes) -> std::io::Result<Response<Incoming>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let kind = if path.ends_with("/file") { "application/octet-stream" } else { "application/json" };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("content-type", kind)
            .header("openstack-api-version", "compute 2.79")
            .header("x-auth-token", &self.token)
            // Whom a revocation is about.
            .header("x-subject-token", &self.token);
        sender.send_request(request.body(Full::new(body)).unwrap()).await.map_err(std::io::Error::other)
    }
}

impl Answer {
    /// The document of an answer with this status; any other fails the test and shows what was said.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}
