// SPDX-License-Identifier: Apache-2.0
//! The accept loop: HTTP/1.1 and HTTP/2, with or without TLS, with a graceful end.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{Door, Peer, RequestBody};

/// Who does not finish a TLS handshake or the head of a request in this time is cut off.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long requests in flight may take when the service stops.
const FAREWELL: Duration = Duration::from_secs(10);

pub struct Listener {
    pub tcp: TcpListener,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Listener {
    pub async fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, tls })
    }
}

/// Serves until `stop` is ready, then lets the requests in flight end.
pub async fn serve(listener: Listener, door: Arc<Door>, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let acceptor = listener.tls.clone().map(TlsAcceptor::from);
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.tcp.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer)),
            Err(error) => {
                // Out of file descriptors, most likely. Wait for some to come free rather than spin.
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (door, watcher) = (door.clone(), graceful.watcher());
        match acceptor.clone() {
            None => {
                tokio::spawn(converse(stream, peer, door, watcher));
            }
            Some(acceptor) => {
                tokio::spawn(async move {
                    match timeout(PATIENCE, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => converse(stream, peer, door, watcher).await,
                        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                        Err(_) => tracing::debug!("a TLS handshake took too long"),
                    }
                });
            }
        }
    }
    let _ = timeout(FAREWELL, graceful.shutdown()).await;
}

async fn converse<S>(stream: S, peer: Peer, door: Arc<Door>, watcher: hyper_util::server::graceful::Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let door = door.clone();
        async move {
            let mut request = request.map(|body| -> RequestBody { body.map_err(io::Error::other).boxed() });
            request.extensions_mut().insert(peer);
            Ok::<_, std::convert::Infallible>(door.handle(request).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(256);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended badly");
    }
}
