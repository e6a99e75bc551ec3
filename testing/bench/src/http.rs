// SPDX-License-Identifier: Apache-2.0
//! A connection that is kept open, as the clients of a cloud keep theirs.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    token: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Connection {
    /// `authority` is `127.0.0.1:8080`; all figures are taken over loopback, without TLS.
    pub async fn open(authority: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(authority).await.with_context(|| format!("connect to {authority}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; an error shows at the next request.
        tokio::spawn(connection);
        Ok(Self { sender, authority: authority.to_owned(), token: None })
    }

    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub async fn send(&mut self, method: Method, path: &str, more: &[(&str, &str)], body: Bytes) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        request = request.header("openstack-api-version", "compute 2.79");
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await?.or_fail(&format!("GET {path}"))
    }

    pub async fn delete(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, path, &[], Bytes::new()).await?.or_fail(&format!("DELETE {path}"))
    }

    pub async fn post(&mut self, path: &str, document: &Value) -> anyhow::Result<Answer> {
        self.json(Method::POST, path, document).await
    }

    pub async fn put(&mut self, path: &str, document: &Value) -> anyhow::Result<Answer> {
        self.json(Method::PUT, path, document).await
    }

    async fn json(&mut self, method: Method, path: &str, document: &Value) -> anyhow::Result<Answer> {
        let doing = format!("{method} {path}");
        let body = Bytes::from(document.to_string());
        self.send(method, path, &[("content-type", "application/json")], body).await?.or_fail(&doing)
    }
}

impl Answer {
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("read the answer as JSON")
    }

    pub fn or_fail(self, doing: &str) -> anyhow::Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.body);
        bail!("{doing}: {}: {}", self.status, text.chars().take(300).collect::<String>())
    }
}
