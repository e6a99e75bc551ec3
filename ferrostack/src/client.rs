// SPDX-License-Identifier: Apache-2.0
//! A small client of the public APIs, with which our own verbs do what any user could do.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Method, Request, body::Frame};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::{Value, json};
use tokio::{fs::File, io::AsyncReadExt, net::TcpStream, sync::mpsc};
use tokio_rustls::TlsConnector;
use types::Secret;

pub struct Client {
    /// `http://127.0.0.1:8080`
    base: String,
    tls: Option<TlsConnector>,
    token: Option<Secret<String>>,
}

pub struct Account<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub project: &'a str,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;
type Headers<'a> = &'a [(&'a str, &'a str)];
const JSON: (&str, &str) = ("content-type", "application/json");

const PATIENCE: Duration = Duration::from_secs(60);
/// For what is there or not.
const GLANCE: Duration = Duration::from_secs(3);

impl Client {
    /// `authority` is the certificate (PEM) that an HTTPS API is checked against.
    pub fn new(base: &str, authority: Option<&Path>) -> anyhow::Result<Self> {
        let tls = base.starts_with("https://").then(|| connector(authority)).transpose()?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), tls, token: None })
    }

    pub async fn log_in(&mut self, account: &Account<'_>) -> anyhow::Result<()> {
        let ask = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": account.user, "domain": {"name": "Default"}, "password": account.password}}},
            "scope": {"project": {"name": account.project, "domain": {"name": "Default"}}}}});
        let (status, headers, body) = self.send(Method::POST, "/identity/v3/auth/tokens", &[JSON], full(ask.to_string())).await?;
        if status != 201 {
            bail!("log in as {}: {}", account.user, sentence(&body));
        }
        let token = headers.get("x-subject-token").and_then(|token| token.to_str().ok()).context("the login has no token")?;
        self.token = Some(Secret::new(token.to_owned()));
        Ok(())
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, document: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(document)).await
    }

    pub async fn put(&self, path: &str, document: Value) -> anyhow::Result<Value> {
        self.call(Method::PUT, path, Some(document)).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn patch(&self, path: &str, kind: &str, document: Value) -> anyhow::Result<Value> {
        let (status, _, body) = self.send(Method::PATCH, path, &[("content-type", kind)], full(document.to_string())).await?;
        if status >= 300 {
            bail!("PATCH {path}: {status}: {}", sentence(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("read the answer to PATCH {path}"))
    }

    /// A container, or a short object, of the object store.
    pub async fn store(&self, path: &str, headers: Headers<'_>, content: &str) -> anyhow::Result<()> {
        let (status, _, body) = self.send(Method::PUT, path, headers, full(content.to_owned())).await?;
        if status >= 300 {
            bail!("PUT {path}: {status}: {}", sentence(&body));
        }
        Ok(())
    }

    /// Whether something is shown there, whatever it is.
    pub async fn answers(&self, path: &str) -> bool {
        let asked = self.exchange(Method::GET, path, &[], full(String::new()));
        matches!(tokio::time::timeout(GLANCE, asked).await, Ok(Ok((200, ..))))
    }

    /// Sends a file as the body, without holding it in memory; `sent` hears of each piece. It takes as long as it takes.
    pub async fn upload(&self, path: &str, file: &Path, mut sent: impl FnMut(u64)) -> anyhow::Result<()> {
        let source = File::open(file).await.with_context(|| format!("open {}", file.display()))?;
        let (pieces, mut heard) = mpsc::unbounded_channel();
        let chunks = futures_util::stream::try_unfold((source, pieces), |(mut source, pieces)| async move {
            let mut buffer = vec![0; 256 * 1024];
            let count = source.read(&mut buffer).await?;
            buffer.truncate(count);
            // Nobody hears it any more when the upload was given up.
            let _ = pieces.send(count as u64);
            Ok::<_, std::io::Error>((count > 0).then(|| (Frame::data(Bytes::from(buffer)), (source, pieces))))
        });
        let body = StreamBody::new(chunks).boxed_unsync();
        let exchange = self.exchange(Method::PUT, path, &[("content-type", "application/octet-stream")], body);
        tokio::pin!(exchange);
        let (status, _, body) = loop {
            tokio::select! {
                Some(bytes) = heard.recv() => sent(bytes),
                answer = &mut exchange => break answer?,
            }
        };
        while let Ok(bytes) = heard.try_recv() {
            sent(bytes);
        }
        if status >= 300 {
            bail!("PUT {path}: {status}: {}", sentence(&body));
        }
        Ok(())
    }

    /// An answer whose body is read line by line for as long as it comes.
    pub async fn follow(&self, path: &str, mut line: impl FnMut(&str)) -> anyhow::Result<()> {
        let response = self.open(Method::GET, path, &[], full(String::new())).await?;
        if !response.status().is_success() {
            bail!("GET {path}: {}", response.status());
        }
        let mut body = response.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                pending.extend_from_slice(&data);
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let rest = pending.split_off(end + 1);
                    line(String::from_utf8_lossy(&pending[..end]).trim_end());
                    pending = rest;
                }
            }
        }
        Ok(())
    }

    async fn call(&self, method: Method, path: &str, document: Option<Value>) -> anyhow::Result<Value> {
        let headers: Headers<'_> = if document.is_some() { &[JSON] } else { &[] };
        let body = full(document.map(|document| document.to_string()).unwrap_or_default());
        let (status, _, body) = self.send(method.clone(), path, headers, body).await?;
        if status >= 300 {
            bail!("{method} {path}: {status}: {}", sentence(&body));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).with_context(|| format!("read the answer to {method} {path}"))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: Body,
    ) -> anyhow::Result<(u16, http::HeaderMap, Bytes)> {
        tokio::time::timeout(PATIENCE, self.exchange(method, path, headers, body))
            .await
            .map_err(|_| anyhow!("{}{path} did not answer in {PATIENCE:?}", self.base))?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: Body,
    ) -> anyhow::Result<(u16, http::HeaderMap, Bytes)> {
        let response = self.open(method, path, headers, body).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("read the answer")?.to_bytes();
        Ok((parts.status.as_u16(), parts.headers, body))
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: Body,
    ) -> anyhow::Result<http::Response<hyper::body::Incoming>> {
        let authority = self.base.split("://").nth(1).context("the API's address has a scheme")?;
        let stream = TcpStream::connect(authority).await.with_context(|| format!("connect to {}", self.base))?;
        stream.set_nodelay(true)?;
        let mut request =
            Request::builder().method(method).uri(path).header("host", authority).header("openstack-api-version", "compute 2.79");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token.reveal());
        }
        let request = request.body(body)?;
        match &self.tls {
            None => converse(TokioIo::new(stream), request).await,
            Some(connector) => {
                let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
                let name = ServerName::try_from(host.to_owned()).context("the API's host name")?;
                let stream = connector.connect(name, stream).await.with_context(|| format!("speak TLS with {}", self.base))?;
                converse(TokioIo::new(stream), request).await
            }
        }
    }
}

async fn converse<S>(stream: S, request: Request<Body>) -> anyhow::Result<http::Response<hyper::body::Incoming>>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender.send_request(request).await?)
}

fn connector(authority: Option<&Path>) -> anyhow::Result<TlsConnector> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = RootCertStore::empty();
    if let Some(path) = authority {
        for certificate in CertificateDer::pem_file_iter(path).with_context(|| format!("read {}", path.display()))? {
            roots.add(certificate?)?;
        }
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

/// The message inside whatever shape of fault it came in.
fn sentence(body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let inner = document.as_object().and_then(|object| object.values().next()).unwrap_or(&Value::Null);
    match inner["message"].as_str().or(inner[0]["detail"].as_str()) {
        Some(message) => message.trim().to_owned(),
        None => String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned(),
    }
}
