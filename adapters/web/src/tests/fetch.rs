// SPDX-License-Identifier: Apache-2.0
//! Fetches over real sockets.

use std::{collections::HashMap, io, net::IpAddr, sync::Arc, time::Duration};

use contracts::BoxFuture;
use futures_util::TryStreamExt;
use http::{HeaderValue, Method, header};

use super::server::{Server, ok, redirect};
use crate::{Client, Error, Limits, Request, Resolver, Rules, Why};

/// Names that the test made up.
struct Names(HashMap<&'static str, Vec<&'static str>>);

impl Resolver for Names {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(host).map(|list| list.iter().map(|text| text.parse().unwrap()).collect());
        Box::pin(async move { found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)) })
    }
}

fn names(list: &[(&'static str, &[&'static str])]) -> Arc<dyn Resolver> {
    Arc::new(Names(list.iter().map(|(name, addresses)| (*name, addresses.to_vec())).collect()))
}

fn anywhere() -> Client {
    Client::new(Rules::everything(), Limits::default())
}

/// As a tenant's URL is fetched, but with 127.0.0.2 standing for the Internet.
fn guarded() -> Client {
    Client::new(Rules::public().any_port().allow("127.0.0.2/32".parse().unwrap()), Limits::default())
}

#[tokio::test]
async fn a_file_comes_with_its_head_and_through_redirects() {
    let server = Server::start("127.0.0.1", |head| match head.split(' ').nth(1).unwrap() {
        "/file" => ok("content"),
        "/folder/once" => redirect("../folder/twice"),
        "/folder/../folder/twice" => redirect("/file"),
        "/round" => redirect("/round"),
        "/gone" => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
        _ => panic!("{head}"),
    })
    .await;
    let answer = anywhere().get(&server.url("/folder/once")).await.unwrap();
    assert_eq!((answer.url, answer.body.announced()), (server.url("/file"), Some(7)));
    let body = anywhere().get(&server.url("/file")).await.unwrap().body.bytes().await.unwrap();
    assert_eq!(body, "content");
    let error = anywhere().get(&server.url("/round")).await.unwrap_err();
    assert!(matches!(error, Error::TooManyRedirects(5)), "{error}");
    let error = anywhere().get(&server.url("/gone")).await.unwrap_err();
    assert!(matches!(error, Error::Status(status) if status == 404), "{error}");
}

#[tokio::test]
async fn no_spelling_and_no_redirect_reaches_a_refused_address() {
    let inside = Server::start("127.0.0.1", |_| ok("secret")).await;
    let port = inside.address.port();
    let spellings = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::ffff:7f00:1]:{port}/"),
        format!("http://0:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://[::]:{port}/"),
        format!("http://[::1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    for url in &spellings {
        let error = guarded().get(url).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{url}: {error}");
        assert!(!error.to_string().contains("secret"));
    }
    // The same by way of a server that may be reached.
    for url in spellings {
        let target = url.clone();
        let outside = Server::start("127.0.0.2", move |_| redirect(&target)).await;
        let error = guarded().get(&outside.url("/")).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{url}: {error}");
        assert_eq!(outside.connections(), 1);
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_name_is_judged_by_its_addresses_and_only_those_admitted_are_used() {
    let inside = Server::start("127.0.0.1", |_| ok("secret")).await;
    let port = inside.address.port();
    let resolver = names(&[("intranet.example", &["127.0.0.1", "10.0.0.1"]), ("both.example", &["127.0.0.1", "127.0.0.2"])]);
    let client = guarded().with_resolver(resolver);
    let error = client.get(&format!("http://intranet.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { why: Why::Private, .. }), "{error}");
    // Nobody listens at the address that is admitted; the other one is not tried in its stead.
    let error = client.get(&format!("http://both.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    let error = client.get(&format!("http://nowhere.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Name { .. }), "{error}");
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn ports_and_plain_http_are_refused_where_the_rules_say_so() {
    let server = Server::start("127.0.0.2", |_| ok("x")).await;
    let rules = Rules::public().allow("127.0.0.2/32".parse().unwrap());
    let error = Client::new(rules.clone(), Limits::default()).get(&server.url("/")).await.unwrap_err();
    assert!(matches!(error, Error::Port { .. }), "{error}");
    let error = Client::new(rules.any_port().only_https(), Limits::default()).get(&server.url("/")).await.unwrap_err();
    assert!(matches!(error, Error::Url { .. }), "{error}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn limits_end_what_is_too_large_too_slow_or_broken() {
    let server = Server::start("127.0.0.1", |head| match head.split(' ').nth(1).unwrap() {
        "/announced" => format!("HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n{}", "x".repeat(10)),
        "/unannounced" => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(5000)),
        "/short" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this".into(),
        "/silent" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this…".into(),
        _ => "…".into(),
    })
    .await;
    let limits = Limits { bytes: 1000, idle: Duration::from_millis(300), ..Limits::default() };
    let client = Client::new(Rules::everything(), limits);
    let fetch = async |path: &str| client.get(&server.url(path)).await?.body.bytes().await;
    assert!(matches!(fetch("/announced").await, Err(Error::TooLarge(1000))));
    assert!(matches!(fetch("/unannounced").await, Err(Error::TooLarge(1000))));
    assert!(matches!(fetch("/short").await, Err(Error::BrokenOff { .. })));
    assert!(matches!(fetch("/silent").await, Err(Error::Idle(_))));
    assert!(matches!(fetch("/mute").await, Err(Error::Silent(_))));
    // What goes out has a deadline as well: a slow line is waited for, a server that takes nothing is not.
    let put = async |length: usize| client.send(Request::new(Method::PUT, &server.url("/mute")).bytes(vec![0; length])).await;
    assert!(matches!(put(1000).await, Err(Error::Silent(patience)) if patience == limits.idle));
    assert!(matches!(put(200_000).await, Err(Error::Silent(patience)) if patience == limits.idle + Duration::from_secs(1)));
    let hurried = Client::new(Rules::everything(), Limits { total: Duration::from_millis(300), ..Limits::default() });
    assert!(matches!(hurried.get(&server.url("/mute")).await, Err(Error::TooSlow(_))));
}

#[tokio::test]
async fn certificates_are_checked_against_the_name() {
    let (server, roots) = Server::start_tls("images.example", |_| ok("signed")).await;
    let port = server.address.port();
    let resolver = names(&[("images.example", &["127.0.0.1"]), ("other.example", &["127.0.0.1"])]);
    let client = anywhere().with_resolver(resolver.clone());
    let trusting = client.clone().with_roots(roots);
    let body = trusting.get(&format!("https://images.example:{port}/")).await.unwrap().body;
    let chunks: Vec<_> = body.into_stream().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"signed");
    let error = trusting.get(&format!("https://other.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    let error = client.get(&format!("https://images.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. } | Error::NoRoots), "{error}");
}

#[tokio::test]
async fn a_secret_is_not_told_to_another_server() {
    let second = Server::start("127.0.0.1", |head| {
        assert!(!head.contains("authorization"), "{head}");
        ok("public")
    })
    .await;
    let target = second.url("/");
    let first = Server::start("127.0.0.1", move |head| {
        assert!(head.contains("authorization: Bearer x"), "{head}");
        redirect(&target)
    })
    .await;
    let request = Request::get(&first.url("/")).header(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    let answer = anywhere().send(request).await.unwrap();
    assert_eq!(answer.body.bytes().await.unwrap(), "public");
}
