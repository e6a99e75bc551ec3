// SPDX-License-Identifier: Apache-2.0
//! From a request to its handler: prefix, path, method, caller, version, policy, body, in this order.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use access::InForce;
use bounds::{HeededBody, Kept, PacedBody, Place, Source};
use contracts::caller::{AccessRule, Authenticator, Caller, Unauthenticated};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use types::Microversion;

use crate::{
    Access, Cx, Fault, FaultStyle, Limits, Query, Reply, RequestBody, Response, Route, Service,
    limits::{LONGEST_TARGET, Under, no_place},
    path::{as_routed, without_project},
    refusals::Refusals,
    reply::{json, json_bytes, respond},
};

/// Characters of a request's method and path that the log keeps.
const LOGGED: usize = 256;
/// What stands in a path in the place of a secret.
const SECRET: &str = "{token}";

/// What is served outside all services.
pub struct Front {
    /// At `/`, so that a person who opens the address learns what this is.
    pub greeting: &'static str,
    /// At `/metrics`, in Prometheus' format, for callers on this very host: it tells how busy the cloud is.
    pub metrics: Option<Box<dyn Fn() -> String + Send + Sync>>,
}

/// The other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

pub struct DoorParts {
    pub services: Vec<Service>,
    pub authenticator: Arc<dyn Authenticator>,
    pub policies: InForce,
    /// What clients shall find in links when the request does not say under which name it was reached.
    pub public_url: String,
    pub front: Front,
}

pub struct Door {
    rooms: Vec<Served>,
    authenticator: Arc<dyn Authenticator>,
    policies: InForce,
    public_url: String,
    front: Front,
    limits: Limits,
    under_way: Under,
    refusals: Refusals,
    asked: Arc<Notify>,
}

struct Served {
    service: Service,
    router: matchit::Router<usize>,
    /// By path: all its routes.
    paths: Vec<Vec<Route>>,
}

impl Door {
    /// Fails when two routes claim the same path, method, action and version.
    pub fn new(parts: DoorParts) -> Result<Self, String> {
        let rooms = parts.services.into_iter().map(Served::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            rooms,
            authenticator: parts.authenticator,
            policies: parts.policies,
            public_url: parts.public_url,
            front: parts.front,
            limits: Limits::default(),
            under_way: Under::new(&Limits::default()),
            refusals: Refusals::default(),
            asked: Arc::default(),
        })
    }

    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, under_way: Under::new(&limits), ..self }
    }

    /// Notified of each request that was answered.
    pub fn asked(&self) -> Arc<Notify> {
        self.asked.clone()
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where the services begin: `/compute`.
    pub fn prefixes(&self) -> impl Iterator<Item = &'static str> {
        self.rooms.iter().map(|room| room.service.prefix)
    }

    /// Every route, for the tests that sweep over the table and the command that prints it.
    pub fn routes(&self) -> impl Iterator<Item = (&Service, &Route)> {
        self.rooms.iter().flat_map(|room| room.paths.iter().flatten().map(|route| (&room.service, route)))
    }

    pub async fn handle(&self, request: Request<RequestBody>) -> Response {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let request_id = format!("req-{}", uuid::Uuid::new_v4());
        let is_head = parts.method == Method::HEAD;
        let (method, path) = (cut(parts.method.as_str()), cut(parts.uri.path()));
        let source = parts.extensions.get::<Peer>().map(|peer| Source::from(peer.0.ip()));
        let body = PacedBody::new(body, self.limits.pace).boxed();
        let visit = self.visit(parts, body, &request_id, source);
        let mut visit = match source {
            Some(source) => source.ask(visit).await,
            None => visit.await,
        };
        let mut response = visit.response;
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            let headers = response.headers_mut();
            headers.insert("x-openstack-request-id", value.clone());
            match visit.service {
                "compute" => {
                    headers.insert("x-compute-request-id", value);
                }
                "object-store" => {
                    headers.extend(transaction_id(&request_id).map(|id| (HeaderName::from_static("x-trans-id"), id)));
                }
                _ => {}
            }
        }
        if is_head {
            drop_body(&mut response);
        }
        response = self.keep_places(response, std::mem::take(&mut visit.places));
        self.asked.notify_one();
        let status = response.status().as_u16();
        let seconds = started.elapsed().as_secs_f64();
        metrics::counter!("http_requests_total", "service" => visit.service, "status" => status_class(status)).increment(1);
        metrics::histogram!("http_request_seconds", "service" => visit.service).record(seconds);
        let mut left_out = 0;
        if let (None, Some(source), 400..) = (&visit.caller, source, status) {
            match self.refusals.admit(source) {
                None => return response,
                Some(others) => left_out = others,
            }
        }
        tracing::info!(
            request_id,
            method,
            path = visit.shown_path.as_deref().unwrap_or(&path),
            status,
            ms = format_args!("{:.2}", seconds * 1e3),
            not_logged = (left_out > 0).then_some(left_out),
            user = visit.caller.as_ref().map(|caller| caller.user.id.as_str()),
            project = visit.caller.as_ref().and_then(|caller| caller.project_id()).map(types::ProjectId::as_str),
            global_request_id = visit.global_request_id,
            "request"
        );
        response
    }

    async fn visit(&self, parts: Parts, body: RequestBody, request_id: &str, source: Option<Source>) -> Visit {
        let global_request_id = global_request_id(&parts);
        let mut places = Places::default();
        let Some((room, rest)) = self.room_of(parts.uri.path()) else {
            let response = self.front(&parts);
            return Visit { service: "front", caller: None, global_request_id, response, places, shown_path: None };
        };
        let mut seen = Seen::default();
        let reply = match self.enter_by_address(source) {
            Ok(place) => {
                places.0 = place;
                self.enter(room, rest, &parts, body, request_id, &mut seen).await
            }
            Err(fault) => Err(fault),
        };
        let mut response = reply.unwrap_or_else(|fault| {
            let style = match room.service.faults {
                FaultStyle::Swift => FaultStyle::Swift,
                _ if fault.status == StatusCode::UNAUTHORIZED => FaultStyle::Keystone,
                style => style,
            };
            style.render(&fault, request_id)
        });
        if let (Some(versions), Some(version)) = (&room.service.versions, seen.version) {
            versions.mark(version, response.headers_mut());
        }
        places.1 = seen.place;
        let (service, caller, shown_path) = (room.service.name, seen.caller, seen.shown_path);
        Visit { service, caller, global_request_id, response, places, shown_path }
    }

    /// A place for a request from this address; without an address (in tests) none is needed.
    fn enter_by_address(&self, source: Option<Source>) -> Result<Option<Place<Source>>, Fault> {
        let enter = |source| {
            let place = self.under_way.addresses.enter_busy(source);
            place.map_err(|full| no_place(full, "your address", self.limits.requests_per_address))
        };
        source.map(enter).transpose()
    }

    /// One for a request of this project.
    fn enter_by_project(&self, caller: &Caller) -> Result<Place<String>, Fault> {
        let whose = match caller.project_id() {
            Some(project) => format!("project {project}"),
            None => format!("user {}", caller.user.id),
        };
        let place = self.under_way.projects.enter_busy(whose);
        place.map_err(|full| no_place(full, "this project", self.limits.requests_per_project))
    }

    /// An answer that is a stream keeps its request's places until it has gone, and its reader must come for it.
    fn keep_places(&self, response: Response, places: Places) -> Response {
        use hyper::body::Body as _;
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        response.map(|body| HeededBody::new(Kept::new(body, places), self.limits.pace.idle).boxed_unsync())
    }

    async fn enter(
        &self,
        room: &Served,
        rest: String,
        parts: &Parts,
        body: RequestBody,
        request_id: &str,
        seen: &mut Seen,
    ) -> Reply {
        let target = parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
        if target > LONGEST_TARGET {
            let message =
                format!("The request's address has {target} bytes; {LONGEST_TARGET} is the most. Ask for less at once.");
            return Err(Fault::new(StatusCode::URI_TOO_LONG, message));
        }
        let version = match &room.service.versions {
            None => Microversion::default(),
            Some(versions) => {
                let version = versions.negotiate(&parts.headers)?;
                seen.version = Some(version);
                version
            }
        };
        let (project, routed) = without_project(room.service.faults, &rest);
        let Ok(found) = room.router.at(&routed) else {
            // Who is not known learns nothing about what is there.
            return Err(Fault::not_found("The resource could not be found."));
        };
        let on_path = &room.paths[*found.value];
        // Whoever reads the log shall not be able to use what it says.
        seen.shown_path = on_path
            .first()
            .map(|route| route.path)
            .filter(|path| path.contains(SECRET))
            .map(|path| format!("{}{path}", room.service.prefix));
        // Who is not known does not learn which methods and versions a path has, either.
        if !on_path.iter().any(is_open) {
            self.see_caller(room, &rest, parts, seen).await?;
        }
        let of_method = candidates(on_path, &parts.method, version)?;
        if of_method.iter().all(|route| matches!(route.access, Access::Open(_))) {
            self.see_caller_if_known(room, &rest, parts, seen).await?;
        } else if seen.caller.is_none() && !of_method.iter().all(|route| is_open(route)) {
            self.see_caller(room, &rest, parts, seen).await?;
        }
        let caller = seen.caller.clone();
        let is_his =
            |project: &str| caller.as_ref().and_then(|caller| caller.project_id()).is_some_and(|own| own.as_str() == project);
        if project.is_some_and(|project| !is_his(project)) {
            return Err(Fault::bad_request("Malformed request url: it names another project than the token."));
        }
        let enforcer = self.policies.now();
        let params: Vec<(String, String)> = found.params.iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
        // Swift reads names itself, and has a status of its own for those that cannot be.
        if room.service.faults != FaultStyle::Swift && params.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Fault::not_found("The resource could not be found."));
        }
        let query = Query::read(parts.uri.query())?;
        let mut cx = Cx {
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            request_id: request_id.to_owned(),
            version,
            base_url: self.base_url(parts),
            prefix: room.service.prefix,
            path: parts.uri.path().to_owned(),
            params,
            query,
            caller,
            allowed: None,
            enforcer,
            asks: Arc::default(),
            upgrade: parts.extensions.get().cloned(),
            body: Some(body),
            read_body: None,
            body_limit: of_method.iter().filter_map(|route| route.body_limit).max().unwrap_or(usize::MAX),
        };
        let route = match of_method.as_slice() {
            [only] if only.action.is_none() => *only,
            several => pick_action(several, &mut cx).await?,
        };
        cx.asks = route.asks.clone();
        if let Access::Policy(policy) = route.access {
            match (cx.scope(policy), &route.look) {
                (Ok(allowed), _) => cx.allowed = Some(allowed),
                (Err(refusal), None) => return Err(refusal),
                (Err(refusal), Some(look)) => {
                    look(&cx).await?;
                    return Err(refusal);
                }
            }
        }
        match AssertUnwindSafe((route.handler)(cx)).catch_unwind().await {
            Ok(reply) => reply,
            Err(_) => Err(Fault::internal(format_args!("the handler of {} {} panicked", route.method, route.path))),
        }
    }

    /// Whoever brings no token, or one that is not good, is nobody. A token that is good, but not for this, is refused.
    async fn see_caller_if_known(&self, room: &Served, path: &str, parts: &Parts, seen: &mut Seen) -> Result<(), Fault> {
        match self.known(room, path, parts).await? {
            None => Ok(()),
            Some(caller) => {
                seen.place = Some(self.enter_by_project(&caller)?);
                seen.caller = Some(caller);
                Ok(())
            }
        }
    }

    async fn see_caller(&self, room: &Served, path: &str, parts: &Parts, seen: &mut Seen) -> Result<(), Fault> {
        let caller = self.caller(room, path, parts).await?;
        seen.place = Some(self.enter_by_project(&caller)?);
        seen.caller = Some(caller);
        Ok(())
    }

    async fn caller(&self, room: &Served, path: &str, parts: &Parts) -> Result<Arc<Caller>, Fault> {
        let challenge = || {
            let uri = format!("Keystone uri=\"{}/identity\"", self.public_url);
            let value = HeaderValue::from_str(&uri).unwrap_or(HeaderValue::from_static("Keystone"));
            Fault::unauthorized().header(header::WWW_AUTHENTICATE, value)
        };
        self.known(room, path, parts).await?.ok_or_else(challenge)
    }

    /// The caller, if the request brings a token that is good.
    async fn known(&self, room: &Served, path: &str, parts: &Parts) -> Result<Option<Arc<Caller>>, Fault> {
        let token = token_of(room, &parts.headers);
        if token.is_empty() {
            return Ok(None);
        }
        let caller = match self.authenticator.caller(token).await {
            Ok(caller) => caller,
            Err(Unauthenticated::BadToken) => return Ok(None),
            Err(Unauthenticated::Unavailable(cause)) => {
                tracing::error!(%cause, "no token can be checked");
                return Err(Fault::unavailable("No token can be checked now. Nothing was changed; try again."));
            }
        };
        match &caller.access_rules {
            Some(rules) if !room.is_admitted(rules, path, parts) => Err(Fault::new(
                StatusCode::UNAUTHORIZED,
                "The access rules of the application credential behind this token do not allow the request.",
            )),
            _ => Ok(Some(caller)),
        }
    }

    /// The service whose prefix begins this path, and the rest of the path.
    fn room_of(&self, path: &str) -> Option<(&Served, String)> {
        self.rooms.iter().find_map(|room| {
            let rest = path.strip_prefix(room.service.prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (room, as_routed(room.service.faults, rest).to_owned()))
        })
    }

    /// What lies outside all services: the greeting, health.
    fn front(&self, parts: &Parts) -> Response {
        match parts.uri.path() {
            "/" => {
                let base = self.base_url(parts);
                let services: serde_json::Map<_, _> = self
                    .rooms
                    .iter()
                    .map(|room| (room.service.name.to_owned(), format!("{base}{}", room.service.prefix).into()))
                    .collect();
                let document = serde_json::json!({"cloud": self.front.greeting, "services": services});
                json(StatusCode::OK, &document).unwrap_or_else(|fault| FaultStyle::Keystone.render(&fault, ""))
            }
            "/healthcheck" => json_bytes(StatusCode::OK, br#"{"status":"OK"}"#.to_vec()),
            "/metrics" => self.metrics(parts),
            _ => FaultStyle::Keystone.render(&Fault::not_found("The resource could not be found."), ""),
        }
    }

    fn metrics(&self, parts: &Parts) -> Response {
        let local = parts.extensions.get::<Peer>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        match &self.front.metrics {
            Some(metrics) if local => respond(StatusCode::OK, "text/plain; version=0.0.4", metrics()),
            Some(_) => FaultStyle::Keystone.render(&Fault::forbidden("The figures are told to callers on this host only."), ""),
            None => FaultStyle::Keystone.render(&Fault::not_found("The resource could not be found."), ""),
        }
    }

    fn base_url(&self, parts: &Parts) -> String {
        let scheme = self.public_url.split("://").next().unwrap_or("http");
        let authority = parts
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(|| parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()))
            .filter(|host| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b)));
        match authority {
            Some(authority) if !authority.is_empty() => format!("{scheme}://{authority}"),
            _ => self.public_url.clone(),
        }
    }
}

struct Visit {
    service: &'static str,
    caller: Option<Arc<Caller>>,
    global_request_id: Option<String>,
    response: Response,
    places: Places,
    /// Instead of the path, in the log.
    shown_path: Option<String>,
}

/// What a request turned out to be, however far it came.
#[derive(Default)]
struct Seen {
    caller: Option<Arc<Caller>>,
    version: Option<Microversion>,
    place: Option<Place<String>>,
    shown_path: Option<String>,
}

/// Those of a request: by its address, and by its project.
#[derive(Default)]
struct Places(Option<Place<Source>>, Option<Place<String>>);

impl Served {
    fn new(service: Service) -> Result<Self, String> {
        let mut router = matchit::Router::new();
        let mut paths: Vec<Vec<Route>> = Vec::new();
        let mut names: Vec<&'static str> = Vec::new();
        for route in &service.routes {
            let index = match names.iter().position(|name| *name == route.path) {
                Some(index) => index,
                None => {
                    router
                        .insert(route.path, paths.len())
                        .map_err(|error| format!("{}: the route {} clashes: {error}", service.name, route.path))?;
                    names.push(route.path);
                    paths.push(Vec::new());
                    paths.len() - 1
                }
            };
            let twin = paths[index].iter().any(|other| {
                other.method == route.method
                    && other.action == route.action
                    && other.since == route.since
                    && other.until == route.until
            });
            if twin {
                return Err(format!("{}: {} {} stands twice in the table", service.name, route.method, route.path));
            }
            paths[index].push(route.clone());
        }
        Ok(Self { service, router, paths })
    }

    /// Whether a token that is confined to these rules is good for the request. What a token means it may always ask.
    fn is_admitted(&self, rules: &[AccessRule], path: &str, parts: &Parts) -> bool {
        let is_about_tokens = self.service.name == "identity" && path == "/v3/auth/tokens";
        (is_about_tokens && matches!(parts.method, Method::GET | Method::HEAD))
            || access::access_rule::admit(rules, self.service.name, parts.method.as_str(), self.service.prefix, path)
    }
}

/// Whether a request without a token gets as far as the handler.
fn is_open(route: &Route) -> bool {
    matches!(route.access, Access::Public | Access::Open(_))
}

/// The token of a request. Services take it as OAuth 2.0 sends it, too, as they do behind keystonemiddleware; identity
/// does not, for there a bearer may come with another's token.
fn token_of<'a>(room: &Served, headers: &'a HeaderMap) -> &'a str {
    crate::token::token_in(headers, room.service.name != "identity")
}

/// The routes of a path that fit method and version.
fn candidates<'a>(on_path: &'a [Route], method: &Method, version: Microversion) -> Result<Vec<&'a Route>, Fault> {
    let with = |wanted: &Method| -> Vec<&'a Route> { on_path.iter().filter(|route| route.method == *wanted).collect() };
    let mut of_method = with(method);
    if of_method.is_empty() && *method == Method::HEAD {
        of_method = with(&Method::GET);
    }
    if of_method.is_empty() {
        let mut allow: Vec<&str> = on_path.iter().map(|route| route.method.as_str()).collect();
        allow.sort_unstable();
        allow.dedup();
        let message = format!("The method {method} is not allowed for this resource.");
        let value = HeaderValue::from_str(&allow.join(", ")).unwrap_or(HeaderValue::from_static(""));
        return Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, message).header(header::ALLOW, value));
    }
    of_method
        .retain(|route| route.since.is_none_or(|since| version >= since) && route.until.is_none_or(|until| version <= until));
    if of_method.is_empty() {
        return Err(Fault::not_found(format!("The resource is not there in API version {version}.")));
    }
    Ok(of_method)
}

/// Which action the body names. It is read before the policy is asked, since the policy depends on it.
async fn pick_action<'a>(routes: &[&'a Route], cx: &mut Cx) -> Result<&'a Route, Fault> {
    let document: serde_json::Map<String, serde_json::Value> = cx.json().await?;
    let mut keys = document.keys();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Fault::bad_request("The body names exactly one action, as its only key."));
    };
    let named = routes.iter().find(|route| route.action == Some(key.as_str()));
    named.copied().ok_or_else(|| Fault::bad_request(format!("There is no such action: {key}")))
}

/// As much of a text as the log keeps.
fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(LOGGED).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

fn decode(value: &str) -> String {
    percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// A caller's own `req-<uuid>`, which links the requests of several services into one story.
fn global_request_id(parts: &Parts) -> Option<String> {
    let text = parts.headers.get("x-openstack-request-id")?.to_str().ok()?;
    let id = text.strip_prefix("req-")?;
    uuid::Uuid::try_parse(id).ok().map(|_| text.to_owned())
}

/// Swift's name for a request: the first digits of ours, and the time.
fn transaction_id(request_id: &str) -> Option<HeaderValue> {
    let digits: String = request_id.chars().skip("req-".len()).filter(char::is_ascii_hexdigit).take(21).collect();
    let seconds = types::Timestamp::now().seconds();
    HeaderValue::from_str(&format!("tx{digits}-{seconds:010x}")).ok()
}

fn status_class(status: u16) -> &'static str {
    match status / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// An answer to HEAD has the headers of the GET and no body.
fn drop_body(response: &mut Response) {
    use hyper::body::Body as _;
    if let Some(size) = response.body().size_hint().exact()
        && !response.headers().contains_key(header::CONTENT_LENGTH)
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    *response.body_mut() = crate::reply::empty(StatusCode::OK).into_body();
}
