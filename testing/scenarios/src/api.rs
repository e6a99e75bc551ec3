// SPDX-License-Identifier: Apache-2.0
//! Requests to the cloud, from a host that reaches it: as any client could send them, and as no good client would.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, client::conn::http1, http::request};
use hyper_util::rt::TokioIo;
use lab::Host;
use serde_json::{Value, json};
use tokio::{net::TcpStream, runtime, time::timeout};

/// No request of a test takes longer.
const DEADLINE: Duration = Duration::from_secs(60);
/// The newest microversions that our clients would choose.
const VERSIONS: &str = "compute 2.96,placement 1.39,volume 3.71";

#[derive(Clone)]
pub struct Api {
    from: Host,
    address: SocketAddr,
    token: Option<String>,
    account: Option<Account>,
}

#[derive(Clone, Debug)]
pub struct Account {
    pub user: String,
    pub password: String,
    pub project: String,
}

pub struct Answer {
    pub asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Api {
    pub fn anonymous(from: &Host, address: SocketAddr) -> Self {
        Self { from: from.clone(), address, token: None, account: None }
    }

    /// The same door, without a token or with one that was not given to us.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), account: None, ..self.clone() }
    }

    pub fn log_in(&self, account: &Account) -> Result<Self> {
        let answer = self.with_token(None).ask("POST", "/identity/v3/auth/tokens", &login(account))?;
        ensure!(answer.status == 201, "{answer}");
        let token = answer.headers.get("x-subject-token").context("the login has no token")?.to_str()?.to_owned();
        Ok(Self { token: Some(token), account: Some(account.clone()), ..self.clone() })
    }

    pub fn account(&self) -> Result<&Account> {
        self.account.as_ref().context("nobody has logged in here")
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Makes a token, one's own or another's, worthless.
    pub fn revoke(&self, token: &str) -> Result<Answer> {
        let request = Request::delete("/identity/v3/auth/tokens").header("x-subject-token", token);
        self.exchange(request, Bytes::new())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        self.send("GET", path, "application/json", Bytes::new())?.good()
    }

    pub fn post(&self, path: &str, document: &Value) -> Result<Value> {
        self.ask("POST", path, document)?.good()
    }

    pub fn put(&self, path: &str, document: &Value) -> Result<Value> {
        self.ask("PUT", path, document)?.good()
    }

    pub fn delete(&self, path: &str) -> Result<()> {
        self.send("DELETE", path, "application/json", Bytes::new())?.good().map(drop)
    }

    /// Any answer, good or not.
    pub fn ask(&self, method: &str, path: &str, document: &Value) -> Result<Answer> {
        self.send(method, path, "application/json", document.to_string().into())
    }

    pub fn send(&self, method: &str, path: &str, kind: &str, body: Bytes) -> Result<Answer> {
        let request = Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(path);
        self.exchange(request.header("content-type", kind).header("openstack-api-version", VERSIONS), body)
    }

    fn exchange(&self, mut request: request::Builder, body: Bytes) -> Result<Answer> {
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        let request = request.header("host", self.address.to_string()).body(Full::new(body))?;
        let asked = format!("{} {}", request.method(), request.uri());
        let stream = self.from.connect(self.address)?;
        stream.set_nonblocking(true)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(async { timeout(DEADLINE, exchange(stream, request)).await? });
        let (status, headers, body) = answer.with_context(|| asked.clone())?;
        Ok(Answer { asked, status, headers, body })
    }
}

async fn exchange(stream: std::net::TcpStream, request: Request<Full<Bytes>>) -> Result<(u16, HeaderMap, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::from_std(stream)?)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head.status.as_u16(), head.headers, body.collect().await?.to_bytes()))
}

impl Answer {
    /// The document of an answer that says yes.
    pub fn good(self) -> Result<Value> {
        ensure!((200..300).contains(&self.status), "{self}");
        self.json()
    }

    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).with_context(|| format!("{self}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} was answered {}: {}", self.asked, self.status, self.text())
    }
}

fn login(account: &Account) -> Value {
    json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": account.user, "domain": {"name": "Default"}, "password": account.password}}},
        "scope": {"project": {"name": account.project, "domain": {"name": "Default"}}}}})
}
