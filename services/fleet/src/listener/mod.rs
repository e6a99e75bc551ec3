// SPDX-License-Identifier: Apache-2.0
//! The port that nodes connect to: TLS 1.3, HTTP/2, and a certificate of ours for everything but joining.
//!
//! Everybody is a stranger until he has shown such a certificate, and strangers have places and times of their own.
//!
//! Invariant: strangers at this port, however many and however silent, keep no node out (test:
//! `strangers_at_the_port_keep_no_node_out`).

mod join;
mod passwords;
mod session;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bounds::{Pace, PacedBody, PacedIo, Places, Source, notice_dead_peers};
use bytes::Bytes;
use contracts::{Refusal, RefusalKind};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use types::{ImageId, NodeId, ServerId};

use crate::{Fleet, Limits, Result, authority, certificate, error::forbidden, session::Session, stream};

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Together: a connection whose other end is gone is noticed after at most thirteen seconds. Hosts ask twice as often, for they look
/// for another controller then; of hundreds of hosts each question counts here.
const PING_EVERY: Duration = Duration::from_secs(8);
const PING_ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A node with thousands of machines says so in about a megabyte.
const LONGEST_REQUEST: usize = 32 << 20;
/// A guest's word, escaped as JSON at worst.
const LONGEST_PASSWORD: usize = 16 << 10;
/// From whoever can reach the port.
const LONGEST_JOIN: usize = 64 << 10;

/// Seconds within which whoever was refused for now is asked to come back.
const RETRY_WITHIN: u64 = 5;

/// Requests at once on one connection.
const STREAMS: u32 = 64;
const STREAMS_OF_STRANGER: u32 = 4;

/// One TLS connection and whom its certificate names.
pub(crate) struct Peer {
    pub connection: u64,
    /// Of the client certificate, which our authority signed; none while joining.
    fingerprint: Option<String>,
    /// The certificate is a controller's.
    is_controller: bool,
    /// What began on this connection.
    session: Mutex<Weak<Session>>,
}

/// Accepts connections until it is dropped, and they with it.
pub(crate) async fn accept(fleet: Fleet, tcp: TcpListener, tls: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    let numbers = AtomicU64::new(1);
    let hall = Hall::new(fleet.inner.config.limits);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match tcp.accept().await {
            Ok((stream, address)) => {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let (fleet, acceptor, hall) = (fleet.clone(), acceptor.clone(), hall.clone());
                // Honest strangers are so for an instant: of those who have been for longest one makes room.
                let Ok(place) = hall.strangers.enter(Source::from(address.ip())) else { continue };
                connections.spawn(async move {
                    let visit = hall.visit(fleet, acceptor, stream, address, number, place);
                    if let Err(error) = visit.await {
                        tracing::debug!(%address, %error, "a node's connection ended");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely. Wait for some to come free rather than spin.
                tracing::warn!(%error, "accept a node's connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Who is in.
#[derive(Clone)]
struct Hall {
    limits: Limits,
    strangers: Places<Source>,
    nodes: Places<Source>,
}

impl Hall {
    fn new(limits: Limits) -> Self {
        let strangers = Places::new(limits.strangers, limits.strangers_per_address);
        Self { limits, strangers, nodes: Places::new(limits.nodes, limits.nodes_per_address) }
    }

    async fn visit(
        self,
        fleet: Fleet,
        acceptor: TlsAcceptor,
        stream: TcpStream,
        address: SocketAddr,
        number: u64,
        place: bounds::Place<Source>,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        notice_dead_peers(&stream)?;
        let began = Instant::now();
        let stream = PacedIo::new(stream, Pace::default());
        let handshake = Duration::from_secs(self.limits.handshake_seconds);
        let made_room = || Err(io::Error::other("a stranger made room for another"));
        let stream = tokio::select! {
            shaken = timeout(handshake, acceptor.accept(stream)) => shaken??,
            () = place.must_leave() => return made_room(),
        };
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let peer = Arc::new(Peer {
            connection: number,
            fingerprint: shown.map(|der| authority::fingerprint(der)),
            is_controller: shown.is_some_and(|der| authority::is_controller(der)),
            session: Mutex::default(),
        });
        if shown.is_none() {
            let until = began + Duration::from_secs(self.limits.join_seconds);
            let joining = converse(fleet, peer, stream, STREAMS_OF_STRANGER);
            return tokio::select! {
                joined = timeout_at(until, joining) => joined?,
                () = place.must_leave() => made_room(),
            };
        }
        let full = |_| io::Error::other("all places for nodes are taken");
        let _place = self.nodes.enter_busy(Source::from(address.ip())).map_err(full)?;
        drop(place);
        converse(fleet, peer, stream, STREAMS).await
    }
}

async fn converse<S>(fleet: Fleet, peer: Arc<Peer>, stream: S, streams: u32) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (fleet, peer) = (fleet.clone(), peer.clone());
        async move { Ok::<_, Infallible>(answer(&fleet, &peer, request).await) }
    });
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER_WITHIN)
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

async fn answer(fleet: &Fleet, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
    match route(fleet, peer, request).await {
        Ok(response) => response,
        Err(error) => refuse(&error.into_refusal()),
    }
}

async fn route(fleet: &Fleet, peer: &Peer, request: Request<Incoming>) -> Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if (request.method(), segments.as_slice()) == (&Method::POST, &["v1", "join"][..]) {
        return join::join(fleet, read_at_most(LONGEST_JOIN, request).await?).await;
    }
    if let (&Method::POST, ["v1", "nodes", node, "asks"], true) = (request.method(), segments.as_slice(), peer.is_controller) {
        return session::ask(fleet, NodeId::new(*node), read(request).await?).await;
    }
    if let (&Method::POST, ["v1", "nodes", node, "consoles", server, console], true) =
        (request.method(), segments.as_slice(), peer.is_controller)
    {
        return session::open_console(fleet, NodeId::new(*node), ServerId::new(*server), console, request).await;
    }
    let node = match peer.node_in_session() {
        Some(node) if segments == ["v1", "observed"] => node,
        _ => peer.node(fleet).await?,
    };
    match (request.method(), segments.as_slice()) {
        (&Method::POST, ["v1", "session"]) => session::begin(fleet, peer, node, read(request).await?).await,
        (&Method::POST, ["v1", "observed"]) => session::observed(fleet, peer, node, request).await,
        (&Method::POST, ["v1", "answers", id]) => session::answered(fleet, peer, node, id, read(request).await?),
        (&Method::POST, ["v1", "renew"]) => join::renew(fleet, node, read(request).await?).await,
        (&Method::GET, ["v1", "streams", ticket]) => stream::send(fleet, node, ticket).await,
        (&Method::PUT, ["v1", "streams", ticket]) => stream::take(fleet, node, ticket, request).await,
        (&Method::POST, ["v1", "streams", ticket]) => stream::join(fleet, &node, ticket, request),
        (&Method::POST, ["v1", "passwords", server]) => {
            passwords::take(fleet, node, server, read_at_most(LONGEST_PASSWORD, request).await?).await
        }
        // By agents of protocol 2.
        (&Method::GET, ["v1", "images", sha512]) => stream::send_image(fleet, node, sha512).await,
        (&Method::PUT, ["v1", "snapshots", image]) => stream::take_snapshot(fleet, node, &ImageId::new(*image), request).await,
        _ => Err(Refusal::not_found("the node protocol has no such request").into()),
    }
}

impl Peer {
    fn in_session(&self, session: &Arc<Session>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(session);
    }

    /// Which node this is, if it has a session here, which ends when its certificate is revoked. Nothing is asked, for most of what
    /// nodes say is said in reports.
    fn node_in_session(&self) -> Option<NodeId> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
        (!session.is_over()).then(|| session.node.clone())
    }

    /// Which node this is. Asked at each request, so that a revocation bites at once; only reports of a session are taken until that
    /// ends, within about a second where another controller revoked.
    ///
    /// Invariant: a revoked certificate opens nothing (test: `a_removed_node_is_shut_out`).
    async fn node(&self, fleet: &Fleet) -> Result<NodeId> {
        let fingerprint = self.fingerprint.clone().ok_or_else(|| forbidden("this needs a node's certificate: join first"))?;
        let holder = fleet.inner.store.read(move |tx| certificate::holder(tx, &fingerprint)).await?;
        match holder {
            Some(holder) if !holder.revoked => Ok(holder.node),
            Some(_) => Err(forbidden("this node was removed from the cloud: its certificate is revoked")),
            None => Err(forbidden("this certificate is not a node's")),
        }
    }
}

/// Reads a whole JSON body of a node.
async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T> {
    read_at_most(LONGEST_REQUEST, request).await
}

async fn read_at_most<T: DeserializeOwned>(limit: usize, request: Request<Incoming>) -> Result<T> {
    parse(&collect(limit, request).await?)
}

/// A whole body as it came.
async fn collect(limit: usize, request: Request<Incoming>) -> Result<Bytes> {
    let body = PacedBody::new(request.into_body().map_err(io::Error::other), Pace::default());
    let body = Limited::new(body, limit).collect().await;
    let whole = body.map_err(|error| Refusal::invalid(format!("the request did not arrive whole: {error}")))?;
    Ok(whole.to_bytes())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("the request cannot be read: {error}")).into())
}

fn reply<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let body = Full::new(Bytes::from(json)).map_err(|never| match never {}).boxed_unsync();
    bytes(status, "application/json", body)
}

pub(crate) fn bytes(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = match refusal.kind {
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = reply(status, refusal);
    if refusal.is_transient() {
        // Not all at once.
        let seconds = 1 + u64::from(uuid::Uuid::new_v4().as_bytes()[0]) % RETRY_WITHIN;
        response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from(seconds));
    }
    response
}

pub(crate) fn done() -> Response<Body> {
    reply(StatusCode::OK, &serde_json::json!({}))
}
