// SPDX-License-Identifier: Apache-2.0
//! HTTP for guests: GET, small answers, no state; and one thing that a guest may say ([`super::password`]).
//!
//! Invariant: a guest that holds connections keeps none of its network's other guests from its metadata (test:
//! `a_guest_that_holds_connections_starves_no_other`).

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use bounds::{Place, Places};
use bytes::Bytes;
use contracts::{
    BoxFuture,
    node::{GuestPassword, MachineDesired},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use types::ServerId;

use super::password;
use crate::{MetadataLimits, Result, guest};

/// A guest that is slower with its request than this is cut off.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_CONVERSATION: Duration = Duration::from_secs(60);

const TEXT: &str = "text/plain; charset=UTF-8";
const JSON: &str = "application/json";
const DATA: &str = "application/octet-stream";

type Found = (&'static str, Vec<u8>);

/// A guest; none for addresses that no machine of this host has, which all count as one.
type Guest = Option<ServerId>;

/// What is behind the door of a network.
pub(super) trait Behind: Send + Sync {
    /// The machine that has this address of the network.
    fn machine_at(&self, address: IpAddr) -> Option<Box<MachineDesired>>;

    /// Tells the controller what the guest of this machine said.
    fn say_password<'a>(&'a self, server: &'a ServerId, password: GuestPassword) -> BoxFuture<'a, Result<()>>;
}

pub(super) async fn serve(listener: TcpListener, behind: Arc<dyn Behind>, limits: MetadataLimits) {
    let places = Places::<Guest>::new(limits.per_network, limits.per_guest);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = peer.ip().to_canonical();
                let guest = behind.machine_at(peer).map(|machine| machine.server_id);
                let Ok(place) = places.enter(guest) else {
                    tracing::debug!(%peer, "a guest has as many connections as it may have");
                    continue;
                };
                let behind = behind.clone();
                connections.spawn(async move {
                    let place = Arc::new(place);
                    tokio::select! {
                        _ = timeout(LONGEST_CONVERSATION, converse(stream, peer, behind, place.clone())) => {}
                        () = place.must_leave() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept a metadata request");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, behind: Arc<dyn Behind>, place: Arc<Place<Guest>>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (busy, behind) = (place.busy(), behind.clone());
        async move {
            let _busy = busy;
            let machine = behind.machine_at(peer);
            Ok::<_, Infallible>(match password::is_at(request.uri().path()) {
                true => password::answer(&*behind, machine, request).await,
                false => respond(machine.as_deref(), request.method(), request.uri().path()),
            })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(16 << 10);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "a metadata conversation ended badly");
    }
}

/// Invariant: who asks is known by network and address, never by what the request says (test:
/// `metadata_answers_by_source_address_only`).
fn respond(machine: Option<&MachineDesired>, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "metadata can only be read\n");
    }
    let found = machine.and_then(|machine| find(machine, path));
    match found {
        None => plain(StatusCode::NOT_FOUND, "there is no such metadata for you\n"),
        Some((content_type, content)) => {
            let mut response = Response::new(Full::new(Bytes::from(content)));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
    }
}

pub(super) fn find(machine: &MachineDesired, path: &str) -> Option<Found> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        [] => Some(text(guest::EC2_VERSIONS.join("\n"))),
        ["openstack"] => Some(text(guest::VERSIONS.iter().chain(&["latest"]).copied().collect::<Vec<_>>().join("\n"))),
        ["openstack", version] => Some(text(guest::names(machine, version)?.join("\n"))),
        ["openstack", version, name] => {
            let content_type = if name.ends_with(".json") { JSON } else { DATA };
            Some((content_type, guest::document(machine, version, name)?))
        }
        [version, rest @ ..] if guest::EC2_VERSIONS.contains(version) => ec2(machine, rest),
        _ => None,
    }
}

fn ec2(machine: &MachineDesired, path: &[&str]) -> Option<Found> {
    match path {
        [] => {
            let data = guest::user_data(machine).map(|_| "\nuser-data").unwrap_or_default();
            Some(text(format!("meta-data/{data}")))
        }
        ["user-data"] => Some((DATA, guest::user_data(machine)?)),
        ["meta-data", rest @ ..] => Some(text(guest::Ec2::of(machine).at(rest)?)),
        _ => None,
    }
}

fn text(content: String) -> Found {
    (TEXT, content.into_bytes())
}

pub(super) fn said(content: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(content)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}

pub(super) fn plain(status: StatusCode, content: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(content.as_bytes())));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        net::{Ipv4Addr, SocketAddr},
        time::Instant,
    };

    use futures_util::future::join_all;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
    };

    use super::*;
    use crate::tests::of_nobody;

    const GREEDY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
    const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    /// Two guests, each at an address of this host.
    struct Two;

    impl Behind for Two {
        fn machine_at(&self, address: IpAddr) -> Option<Box<MachineDesired>> {
            let names = [(GREEDY, "greedy"), (OTHER, "other")];
            names.iter().find(|(known, _)| *known == address).map(|(_, name)| Box::new(of_nobody(name)))
        }

        fn say_password<'a>(&'a self, _: &'a ServerId, _: GuestPassword) -> BoxFuture<'a, Result<()>> {
            Box::pin(async { Ok(()) })
        }
    }

    async fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn hostname(from: Ipv4Addr, door: SocketAddr) -> String {
        let mut stream = connect(from, door).await;
        stream.write_all(b"GET /latest/meta-data/hostname HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_guest_that_holds_connections_starves_no_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let door = listener.local_addr().unwrap();
        let limits = MetadataLimits { per_network: 20, per_guest: 16 };
        let serving = tokio::spawn(serve(listener, Arc::new(Two), limits));
        let beginnings: [&[u8]; 3] = [b"", b"GET /latest/me", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"];
        let mut held = Vec::new();
        for number in 0..140 {
            let mut stream = connect(GREEDY, door).await;
            let _ = stream.write_all(beginnings[number % 3]).await;
            held.push(stream);
        }
        for _ in 0..20 {
            let began = Instant::now();
            let said = hostname(OTHER, door).await;
            assert!(said.contains("200 OK") && said.ends_with("other"), "{said}");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
        // The greedy one has his own, too.
        assert!(hostname(GREEDY, door).await.ends_with("greedy"));
        let cut = join_all(held.iter_mut().map(|stream| async {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }));
        timeout(PATIENCE * 3, cut).await.expect("what is silent is cut off");
        serving.abort();
    }
}
