// SPDX-License-Identifier: Apache-2.0
//! The accept loop: HTTP/1.1 and HTTP/2, with or without TLS, with a graceful end. Who does not get on is cut off.
//!
//! Invariant: connections that are idle, half open, or whose client reads or writes nothing keep nobody else out (test:
//! `silent_connections_keep_nobody_out`).

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bounds::{Full, Kept, PacedIo, Place, Places, Source, notice_dead_peers};
use contracts::BoxFuture;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{Door, FaultStyle, Limits, Peer, RequestBody, Response, Upgrade, limits::no_place};

/// How long requests in flight may take when the service stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// After such an error of `accept` one waits before trying again: out of file descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(50);
/// A client of HTTP/2 is asked so often whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Bytes that wait for the client of one request of HTTP/2.
const SEND_BUFFER: usize = 128 << 10;
/// Bytes of a request's head.
const LONGEST_HEAD: u32 = 64 << 10;
/// Said as it is to whoever finds no place, before a word of his was read.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

pub struct Listener {
    pub tcp: TcpListener,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Listener {
    pub async fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, tls })
    }
}

/// What answers at an address.
pub trait Serves: Send + Sync {
    fn limits(&self) -> &Limits;

    fn handle(&self, request: Request<RequestBody>) -> BoxFuture<'_, Response>;
}

impl Serves for Door {
    fn limits(&self) -> &Limits {
        Self::limits(self)
    }

    fn handle(&self, request: Request<RequestBody>) -> BoxFuture<'_, Response> {
        Box::pin(Self::handle(self, request))
    }
}

/// Serves until `stop` is ready, then lets the requests in flight end.
pub async fn serve(listener: Listener, door: Arc<dyn Serves>, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let limits = *door.limits();
    let places = Places::new(limits.connections, limits.connections_per_address);
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
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let place = match places.enter(Source::from(peer.0.ip())) {
            Ok(place) => place,
            Err(full) => {
                turn_away(&stream, full, acceptor.is_some());
                continue;
            }
        };
        let conversation = Conversation { place: Arc::new(place), peer, door: door.clone(), limits };
        conversation.begin(stream, acceptor.clone(), graceful.watcher());
    }
    let _ = timeout(FAREWELL, graceful.shutdown()).await;
}

fn turn_away(stream: &TcpStream, full: Full, speaks_tls: bool) {
    metrics::counter!("http_connections_refused_total").increment(1);
    tracing::debug!(?full, "a connection finds no place");
    if !speaks_tls {
        let _ = stream.try_write(NO_PLACE);
    }
}

/// One connection.
struct Conversation {
    place: Arc<Place<Source>>,
    peer: Peer,
    door: Arc<dyn Serves>,
    limits: Limits,
}

impl Conversation {
    /// Not where the service is begun, which is generic: so that all that a connection takes is compiled here, with this
    /// crate's care for speed, and not in the crate that calls.
    fn begin(self, stream: TcpStream, acceptor: Option<TlsAcceptor>, watcher: Watcher) {
        tokio::spawn(self.hold(stream, acceptor, watcher));
    }

    async fn hold(self, stream: TcpStream, acceptor: Option<TlsAcceptor>, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        let _ = notice_dead_peers(&stream);
        let stream = PacedIo::new(stream, self.limits.pace);
        let (place, limits, opened) = (self.place.clone(), self.limits, Instant::now());
        let talking = async {
            match acceptor {
                None => self.converse(stream, watcher).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => self.converse(stream, watcher).await,
                    Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
                },
            }
        };
        tokio::select! {
            () = talking => {}
            () = place.must_leave() => tracing::debug!("an idle connection made room for another"),
            () = idle_too_long(&place, &limits, opened) => tracing::debug!("a connection was idle for too long"),
        }
    }

    async fn converse<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { place, peer, door, limits } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let (door, place) = (door.clone(), place.clone());
            async move { Ok::<_, std::convert::Infallible>(answer(&*door, place, peer, request).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(LONGEST_HEAD as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_per_connection)
            .max_header_list_size(LONGEST_HEAD)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(limits.pace.idle);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}

/// The connection is busy until the answer has gone.
async fn answer(door: &dyn Serves, place: Arc<Place<Source>>, peer: Peer, mut request: Request<Incoming>) -> Response {
    let Some(busy) = place.busy() else {
        let mut response = FaultStyle::Keystone.render(&no_place(Full::All, "", 0), "");
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    };
    if request.headers().contains_key(header::UPGRADE)
        && let Some(busy) = place.busy()
    {
        let upgrade = Upgrade::new(hyper::upgrade::on(&mut request), busy, place.clone());
        request.extensions_mut().insert(upgrade);
    }
    let mut request = request.map(|body| -> RequestBody { body.map_err(io::Error::other).boxed() });
    request.extensions_mut().insert(peer);
    door.handle(request).await.map(|body| Kept::new(body, busy).boxed_unsync())
}

/// Ready when no request came whole in time.
async fn idle_too_long(place: &Place<Source>, limits: &Limits, opened: Instant) {
    let mut has_asked = false;
    let mut look_at = opened + limits.head;
    loop {
        sleep_until(look_at).await;
        let now = Instant::now();
        look_at = match place.idle_since() {
            None => {
                has_asked = true;
                now + limits.idle
            }
            // Nothing was asked since the place was taken, which was just before.
            Some(since) if !has_asked && since <= opened => return,
            Some(since) => {
                has_asked = true;
                since + limits.idle
            }
        };
        if look_at <= now {
            return;
        }
    }
}
