// SPDX-License-Identifier: Apache-2.0
//! Requests, their redirects, and their limits.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{Body, Error, Resolver, Rules, SystemResolver, connect::connect, location::Location, roots};

/// Bytes a second; a line that is slower is taken for a broken one.
const SLOWEST: u64 = 128 << 10;

/// What is sent along.
pub type Outgoing = BoxBody<Bytes, std::io::Error>;

#[derive(Clone)]
pub struct Client {
    pub(crate) rules: Rules,
    pub(crate) limits: Limits,
    pub(crate) resolver: Arc<dyn Resolver>,
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the name, the connection, and the handshake; each.
    pub connect: Duration,
    /// Longest silence, also before the first byte of the answer.
    pub idle: Duration,
    /// From the first connection to the last byte.
    pub total: Duration,
    /// Bytes of one body.
    pub bytes: u64,
    pub redirects: usize,
}

pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Outgoing,
    /// How long the other side may think about its answer; the limit of silence if it is not said.
    pub patience: Option<Duration>,
}

#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Where the answer came from, after all redirects.
    pub url: String,
    pub body: Body,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(60),
            bytes: 1 << 20,
            redirects: 5,
        }
    }
}

impl Client {
    pub fn new(rules: Rules, limits: Limits) -> Self {
        Self { rules, limits, resolver: Arc::new(SystemResolver), tls: Arc::default() }
    }

    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Trusts these certificate authorities and not those of the host.
    #[must_use]
    pub fn with_roots(mut self, roots: rustls::RootCertStore) -> Self {
        self.tls = Arc::new(OnceLock::from(roots::config(roots)));
        self
    }

    /// What can be said of a URL without a connection: that it is well-formed, and names neither a port nor an address that
    /// the rules refuse. A fetch asks all that again, and the name's addresses, too.
    pub fn check(&self, url: &str) -> Result<(), Error> {
        let place = Location::parse(url)?;
        if !place.is_https && !self.rules.admits_plain_http() {
            return Err(Error::Url { url: place.url(), why: "only https is allowed here" });
        }
        if !self.rules.admits_port(place.port) {
            return Err(Error::Port { port: place.port });
        }
        match place.host.parse().map(|address| self.rules.check(address)) {
            Ok(Err(why)) => Err(Error::Refused { host: place.host, why }),
            _ => Ok(()),
        }
    }

    /// Fetches with redirects; any status but 2xx is an error.
    pub async fn get(&self, url: &str) -> Result<Response, Error> {
        let response = self.send(Request::get(url)).await?;
        if response.status.is_success() { Ok(response) } else { Err(Error::Status(response.status)) }
    }

    /// Sends one request and answers as soon as the head of the answer is there. Redirects are followed for GET and HEAD.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let deadline = Instant::now() + self.limits.total;
        timeout_at(deadline, self.follow(request, deadline)).await.unwrap_or(Err(Error::TooSlow(self.limits.total)))
    }

    async fn follow(&self, request: Request, deadline: Instant) -> Result<Response, Error> {
        let Request { method, url, mut headers, mut body, patience } = request;
        let patience = patience.unwrap_or(self.limits.idle);
        let mut place = Location::parse(&url)?;
        let may_follow = matches!(method, Method::GET | Method::HEAD);
        for _ in 0..=self.limits.redirects {
            let sent = std::mem::replace(&mut body, nothing());
            let response = self.exchange(&method, &place, &headers, sent, (patience, deadline)).await?;
            let Some(next) = redirect(&response).filter(|_| may_follow) else { return Ok(response) };
            let next = place.follow(next)?;
            if !next.has_origin_of(&place) {
                // What was meant for one server is not told to another.
                headers.remove(header::AUTHORIZATION);
                headers.remove(header::COOKIE);
            }
            place = next;
        }
        Err(Error::TooManyRedirects(self.limits.redirects))
    }

    async fn exchange(
        &self,
        method: &Method,
        place: &Location,
        headers: &HeaderMap,
        body: Outgoing,
        (patience, deadline): (Duration, Instant),
    ) -> Result<Response, Error> {
        let wrong = |source| Error::Http { host: place.host.clone(), source };
        let wire = connect(self, place).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(wrong)?;
        // Ends when the body is dropped, so that an abandoned download holds no socket.
        let connection = tokio::spawn(async move {
            // What breaks shows where the body is read.
            let _ = connection.await;
        });
        let mut request = http::Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() =
            place.path.parse().map_err(|_| Error::Url { url: place.url(), why: "its path is not well-formed" })?;
        *request.headers_mut() = headers.clone();
        let defaults = [
            (header::HOST, place.authority.as_str()),
            (header::USER_AGENT, concat!("ferrostack/", env!("CARGO_PKG_VERSION"))),
            (header::ACCEPT, "*/*"),
            // Sizes and checksums are those of what is sent.
            (header::ACCEPT_ENCODING, "identity"),
        ];
        for (name, value) in defaults {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().entry(name).or_insert(value);
            }
        }
        let patience = patience + going_out(request.body());
        let Ok(answer) = timeout(patience, sender.send_request(request)).await else {
            connection.abort();
            return Err(Error::Silent(patience));
        };
        let (head, incoming) = answer.map_err(wrong)?.into_parts();
        let body = Body::new(incoming, connection, self.limits, deadline);
        body.check_announced()?;
        Ok(Response { status: head.status, headers: head.headers, url: place.url(), body })
    }

    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.tls.get() {
            return Ok(config.clone());
        }
        let config = roots::of_this_host()?;
        Ok(self.tls.get_or_init(|| config).clone())
    }
}

impl Request {
    pub fn get(url: &str) -> Self {
        Self::new(Method::GET, url)
    }

    pub fn new(method: Method, url: &str) -> Self {
        Self { method, url: url.to_owned(), headers: HeaderMap::new(), body: nothing(), patience: None }
    }

    #[must_use]
    pub fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    #[must_use]
    pub fn bytes(mut self, content: impl Into<Bytes>) -> Self {
        self.body = Full::new(content.into()).map_err(|never| match never {}).boxed();
        self
    }
}

/// While a body goes out, silence from the other side is as it should be, for as long as a slow line takes for it.
fn going_out(body: &Outgoing) -> Duration {
    let length = hyper::body::Body::size_hint(body);
    Duration::from_secs(length.exact().unwrap_or(length.lower()) / SLOWEST)
}

fn nothing() -> Outgoing {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn redirect(response: &Response) -> Option<&str> {
    match response.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => response.headers.get(header::LOCATION)?.to_str().ok(),
        _ => None,
    }
}
