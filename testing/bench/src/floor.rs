// SPDX-License-Identifier: Apache-2.0
//! The least that any server over HTTP does: reads a request and answers with bytes that lie ready. A process of its own
//! with as many threads as the controller, so that its CPU can be told from that of the clients.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::Context;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::load::Target;

/// Ends with this handle.
pub struct Floor {
    child: Child,
    pub target: Arc<Target>,
}

impl Floor {
    /// Starts a server whose answers have bodies of this size.
    pub fn start(bytes: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("find our own binary")?);
        command.arg("--serve-floor").arg(bytes.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("start the server that is the floor")?;
        let mut authority = String::new();
        let said = child.stdout.take().context("read what the floor says")?;
        BufReader::new(said).read_line(&mut authority)?;
        let authority = authority.trim().to_owned();
        let target = Target { authority, pid: child.id(), path: "/".to_owned(), headers: Vec::new(), post: None };
        Ok(Self { child, target: Arc::new(target) })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It has nothing to lose; that it had ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server itself: says where it listens, and serves until it is killed.
pub async fn serve(bytes: usize) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let body = Bytes::from(vec![b' '; bytes]);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |_| {
            let mut response = Response::new(Full::new(body.clone()));
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
            async { Ok::<_, Infallible>(response) }
        });
        // A client that goes away in the middle is its own affair.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
