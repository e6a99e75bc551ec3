// SPDX-License-Identifier: Apache-2.0
//! Clients that are silent, slow, huge or many, at a door that is really served; and another client beside them, each of
//! whose requests must be answered soon.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, future::join_all, stream};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::Frame,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    Access, Cx, Fault, FaultStyle, Limits, Listener, Pace, Reply, Routes, Service, no_content, reply, serve as serve_door,
    tests::{door_of, list_policy},
};

/// On a busy machine, for the client that is not to notice anything.
const SOON: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What handlers hold while a client takes his time.
#[derive(Default)]
struct Room {
    held: Arc<AtomicU32>,
}

struct Held(Arc<AtomicU32>);

impl Room {
    fn hold(&self) -> Held {
        self.held.fetch_add(1, Ordering::SeqCst);
        Held(self.held.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn quick(_: Arc<Room>, _: Cx) -> Reply {
    no_content()
}

async fn slow(room: Arc<Room>, _: Cx) -> Reply {
    let _held = room.hold();
    sleep(Duration::from_millis(500)).await;
    no_content()
}

async fn swallow(_: Arc<Room>, mut cx: Cx) -> Reply {
    cx.bytes().await?;
    no_content()
}

async fn upload(room: Arc<Room>, mut cx: Cx) -> Reply {
    let held = room.hold();
    let mut chunks = cx.stream()?;
    while let Some(chunk) = chunks.next().await {
        chunk.map_err(|error| Fault::broken_body(&error))?;
    }
    drop(held);
    no_content()
}

async fn endless(room: Arc<Room>, _: Cx) -> Reply {
    let held = room.hold();
    let zeros = stream::repeat_with(move || {
        let _ = &held;
        Ok(Bytes::from(vec![0; 64 << 10]))
    });
    Ok(reply::stream(StatusCode::OK, "application/octet-stream", zeros))
}

struct Served {
    address: SocketAddr,
    room: Arc<Room>,
    serving: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn limits() -> Limits {
    Limits {
        connections: 40,
        connections_per_address: 30,
        head: Duration::from_secs(1),
        idle: Duration::from_secs(2),
        pace: Pace { idle: Duration::from_secs(1), bytes_per_second: 1000 },
        ..Limits::default()
    }
}

async fn start(limits: Limits, faults: FaultStyle) -> Served {
    start_with(limits, faults, None).await
}

async fn start_with(limits: Limits, faults: FaultStyle, tls: Option<Arc<rustls::ServerConfig>>) -> Served {
    let room = Arc::new(Room::default());
    let routes = Routes::new()
        .get("/quick", Access::Public, quick)
        .get("/slow", Access::Public, slow)
        .get("/own", list_policy(), slow)
        .post("/swallow", Access::Public, swallow)
        .put("/upload", Access::Public, upload)
        .streams_body()
        .get("/endless", Access::Public, endless);
    let service = Service { name: "compute", prefix: "/compute", faults, versions: None, routes: routes.of(&room) };
    let door = Arc::new(door_of(service).with_limits(limits));
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = tcp.local_addr().unwrap();
    let serving = tokio::spawn(serve_door(Listener { tcp, tls }, door, std::future::pending()));
    Served { address, room, serving }
}

impl Served {
    async fn connect(&self, from: Ipv4Addr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::V4(from), 0).into()).unwrap();
        timeout(PATIENCE, socket.connect(self.address)).await.unwrap().unwrap()
    }

    /// A request of its own connection.
    async fn get(&self, from: Ipv4Addr, path: &str, token: &str) -> io::Result<(StatusCode, String)> {
        let mut stream = self.connect(from).await;
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-auth-token: {token}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await?;
        let status = said.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(StatusCode::IM_A_TEAPOT);
        Ok((status, said))
    }

    async fn http2(&self, from: Ipv4Addr) -> http2::SendRequest<BoxBody<Bytes, io::Error>> {
        let stream = TokioIo::new(self.connect(from).await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn http1(&self, from: Ipv4Addr) -> http1::SendRequest<BoxBody<Bytes, io::Error>> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect(from).await)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Another client goes on asking until the attack is over, and each answer comes soon.
    async fn beside<T>(&self, attack: impl Future<Output = T>) -> T {
        let over = AtomicBool::new(false);
        let other = async {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::SeqCst) {
                let began = Instant::now();
                let (status, said) = self.get(OTHER, "/compute/quick", "").await.unwrap();
                assert_eq!(status, 204, "{said}");
                longest = longest.max(began.elapsed());
                sleep(Duration::from_millis(20)).await;
            }
            longest
        };
        let attack = async {
            let outcome = timeout(PATIENCE, attack).await.expect("the attack ends");
            over.store(true, Ordering::SeqCst);
            outcome
        };
        let (outcome, longest) = tokio::join!(attack, other);
        assert!(longest < SOON, "another client waited {longest:?}");
        outcome
    }

    async fn nothing_held(&self) {
        while self.room.held.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn request(method: &str, path: &str, body: BoxBody<Bytes, io::Error>) -> Request<BoxBody<Bytes, io::Error>> {
    Request::builder().method(method).uri(format!("http://x{path}")).header("host", "x").body(body).unwrap()
}

fn nothing() -> BoxBody<Bytes, io::Error> {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// One byte, and then silence.
fn silent() -> BoxBody<Bytes, io::Error> {
    let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"x"))) });
    BodyExt::boxed(StreamBody::new(first.chain(stream::pending())))
}

/// A byte now and then.
fn dripping() -> BoxBody<Bytes, io::Error> {
    let drops = stream::unfold((), |()| async {
        sleep(Duration::from_millis(100)).await;
        Some((Ok(Frame::data(Bytes::from_static(b"x"))), ()))
    });
    BodyExt::boxed(StreamBody::new(Box::pin(drops) as std::pin::Pin<Box<dyn futures_util::Stream<Item = _> + Send + Sync>>))
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_nobody_out() {
    let served = start(limits(), FaultStyle::Nova).await;
    let beginnings: [&[u8]; 6] = [
        b"",
        b"GET /compute/quick HT",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"GET /compute/quick HTTP/1.1\r\nhost: x\r\n\r\n",
    ];
    let attack = async {
        let mut held = Vec::new();
        for number in 0..200 {
            let mut stream = served.connect(ATTACKER).await;
            // Some are turned away before they can say it.
            let _ = stream.write_all(beginnings[number % beginnings.len()]).await;
            held.push(stream);
        }
        // The attacker's own address is served, too: its idle connections make room.
        assert_eq!(served.get(ATTACKER, "/compute/quick", "").await.unwrap().0, 204);
        let cut = held.into_iter().map(|mut stream| async move {
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
        });
        join_all(cut).await;
    };
    served.beside(attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_come_are_408_and_hold_nothing() {
    let served = start(limits(), FaultStyle::Nova).await;
    let attack = async {
        let mut asked = Vec::new();
        for number in 0..12 {
            let (method, path) = [("PUT", "/compute/upload"), ("POST", "/compute/swallow")][number % 2];
            let body = if number % 4 < 2 { silent() } else { dripping() };
            let mut sender = served.http1(ATTACKER).await;
            asked.push(tokio::spawn(async move { sender.send_request(request(method, path, body)).await }));
        }
        let second = served.http2(ATTACKER).await;
        for number in 0..12 {
            let (method, path) = [("PUT", "/compute/upload"), ("POST", "/compute/swallow")][number % 2];
            let body = if number % 4 < 2 { silent() } else { dripping() };
            let mut sender = second.clone();
            asked.push(tokio::spawn(async move { sender.send_request(request(method, path, body)).await }));
        }
        for answer in asked {
            let answer = answer.await.unwrap().unwrap();
            assert_eq!(answer.status(), 408);
            let said = answer.into_body().collect().await.unwrap().to_bytes();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains("did not come in time"), "{said}");
        }
        served.nothing_held().await;
    };
    served.beside(attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_his_answer_holds_nothing_for_long() {
    let served = start(limits(), FaultStyle::Nova).await;
    let attack = async {
        let mut unread = Vec::new();
        for _ in 0..10 {
            let mut stream = served.connect(ATTACKER).await;
            stream.write_all(b"GET /compute/endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            unread.push(stream);
        }
        let mut sender = served.http2(ATTACKER).await;
        let mut answers = Vec::new();
        for _ in 0..10 {
            answers.push(sender.send_request(request("GET", "/compute/endless", nothing())).await.unwrap());
        }
        assert!(served.room.held.load(Ordering::SeqCst) > 0);
        served.nothing_held().await;
    };
    served.beside(attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_so_many_requests_at_once() {
    let limits = Limits { requests: 20, requests_per_address: 10, connections: 200, connections_per_address: 150, ..limits() };
    let served = start(limits, FaultStyle::Neutron).await;
    let attack = async {
        let many = (0..100).map(|_| served.get(ATTACKER, "/compute/slow", ""));
        let answers: Vec<_> = join_all(many).await.into_iter().map(|answer| answer.unwrap()).collect();
        let refused: Vec<_> = answers.iter().filter(|(status, _)| *status == 429).collect();
        let served = answers.iter().filter(|(status, _)| *status == 204).count();
        assert!(served >= 10 && served + refused.len() == 100, "{served} and {}", refused.len());
        let said = &refused.first().expect("some are refused").1;
        assert!(
            said.contains("retry-after: 1") && said.contains("HTTPTooManyRequests") && said.contains("10 requests"),
            "{said}"
        );
    };
    served.beside(attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_project_gets_so_many_requests_at_once_from_wherever_they_come() {
    let limits = Limits { requests_per_project: 5, connections: 200, connections_per_address: 150, ..limits() };
    let served = start(limits, FaultStyle::Nova).await;
    let from = |number: u8| Ipv4Addr::new(127, 0, 1, number);
    let many = (1..30).map(|number| served.get(from(number), "/compute/own", "reader@greedy"));
    let attack = join_all(many);
    let another = async {
        sleep(Duration::from_millis(100)).await;
        served.get(OTHER, "/compute/own", "reader@modest").await.unwrap().0
    };
    let (answers, another) = tokio::join!(attack, another);
    assert_eq!(another, 204);
    let (mut served, mut refused) = (0, 0);
    for answer in answers {
        match answer.unwrap() {
            (StatusCode::NO_CONTENT, _) => served += 1,
            (StatusCode::TOO_MANY_REQUESTS, said) => {
                assert!(said.contains("overLimit") && said.contains("this project"), "{said}");
                refused += 1;
            }
            (_, said) => panic!("{said}"),
        }
    }
    assert!(served >= 5 && refused > 0, "{served} and {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_refused_in_words() {
    let served = start(limits(), FaultStyle::Neutron).await;
    let long = format!("/compute/quick?a={}", "x".repeat(17_000));
    let (status, said) = served.get(OTHER, &long, "").await.unwrap();
    assert!(status == 414 && said.contains("HTTPRequestURITooLong") && said.contains("16384"), "{said}");
    let many = format!("/compute/quick?{}", "a=1&".repeat(600));
    let (status, said) = served.get(OTHER, &many, "").await.unwrap();
    assert!(status == 400 && said.contains("600 parameters"), "{said}");
    let huge = format!("/compute/quick HTTP/1.1\r\nx-long: {}\r\nhost:", "x".repeat(200_000));
    // Whoever still writes when he is refused may find the connection reset.
    if let Ok((status, said)) = served.get(OTHER, &huge, "").await {
        assert_eq!(status, 431, "{said}");
    }
    let mut sender = served.http2(OTHER).await;
    let mut heavy = request("GET", "/compute/quick", nothing());
    heavy.headers_mut().insert("x-long", "x".repeat(100_000).parse().unwrap());
    let outcome = sender.send_request(heavy).await;
    assert!(outcome.map_or(true, |answer| answer.status() == 431));
    let big = Full::from(vec![b' '; 200_000]).map_err(|never| match never {}).boxed();
    let answer = served.http1(OTHER).await.send_request(request("POST", "/compute/swallow", big)).await;
    assert!(answer.map_or(true, |answer| answer.status() == 413));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_handshake_is_cut_off() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = tokio_rustls::TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    let served = start_with(limits(), FaultStyle::Nova, Some(Arc::new(server))).await;
    let mut held = Vec::new();
    for number in 0..100 {
        let mut stream = served.connect(ATTACKER).await;
        let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02][..number % 5]).await;
        held.push(stream);
    }
    for _ in 0..20 {
        let began = Instant::now();
        let stream = served.connect(OTHER).await;
        let mut stream = client.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        stream.write_all(b"GET /compute/quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.starts_with(b"HTTP/1.1 204"));
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
    let cut = held.into_iter().map(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    timeout(PATIENCE, join_all(cut)).await.expect("each is cut off");
}

/// Requests that are taken back as soon as they are made ("rapid reset").
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_reset_at_once_end_their_connection_and_nothing_else() {
    let served = start(limits(), FaultStyle::Nova).await;
    let attack = async {
        let mut sender = served.http2(ATTACKER).await;
        for _ in 0..5_000 {
            if sender.ready().await.is_err() {
                break;
            }
            let asking = sender.send_request(request("GET", "/compute/slow", nothing()));
            let _ = timeout(Duration::ZERO, asking).await;
        }
        served.nothing_held().await;
    };
    served.beside(attack).await;
}

/// In a process of its own, as each test is: it takes all of its files.
#[tokio::test(flavor = "multi_thread")]
async fn the_door_survives_a_lack_of_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let served = start(Limits { connections: 1000, connections_per_address: 1000, ..limits() }, FaultStyle::Nova).await;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 8, hard).unwrap();
    assert!(TcpSocket::new_v4().is_err(), "no file is left");
    // The kernel takes it in; the door cannot, and tries again.
    let mut stream = timeout(PATIENCE, socket.connect(served.address)).await.unwrap().unwrap();
    stream.write_all(b"GET /compute/quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(200)).await;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    let mut said = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut said)).await.unwrap().unwrap();
    assert!(said.starts_with("HTTP/1.1 204"), "{said}");
}
