// SPDX-License-Identifier: Apache-2.0
//! From a request to its answer, within the bounds that the API's door has, too.

use std::{io, sync::Arc, time::Instant};

use api::{Limits, Peer, RequestBody, Response, Serves};
use bounds::{HeededBody, Kept, PacedBody, Places, Source};
use contracts::{BoxFuture, caller::Caller, objects::Objects};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use s3s::{
    Body, HttpRequest, HttpResponse, S3Error, S3ErrorCode as Code,
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
    validation::NameValidation,
};

use crate::{
    Parts,
    cors::{self, Page},
    error::{self, render},
    gate::{Auth, Gate, Keys, Seen},
    host::Domain,
    operations::Operations,
};

/// Bytes of a document: ten thousand parts with their checksums.
const LONGEST_DOCUMENT: usize = 3 << 20;
/// Bytes of a request's target.
const LONGEST_TARGET: usize = 16 << 10;
/// Characters of a path that the log keeps.
const LOGGED: usize = 256;

pub struct Door {
    service: S3Service,
    objects: Arc<dyn Objects>,
    keys: Arc<Keys>,
    domain: Option<String>,
    limits: Limits,
    addresses: Places<Source>,
}

/// Containers of Swift's API have names that no bucket could be made with here; they are found by them all the same.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, name: &str) -> bool {
        !name.is_empty()
    }
}

impl Door {
    pub fn new(parts: Parts) -> Self {
        let Parts { objects, keys, limits, region, domain } = parts;
        let region = in_signatures(&region);
        let keys = Arc::new(Keys::new(keys));
        let projects = Arc::new(Places::new(limits.requests, limits.requests_per_project));
        let mut config = S3Config::default();
        config.xml_max_body_size = LONGEST_DOCUMENT;
        let mut builder = S3ServiceBuilder::new(Operations { objects: objects.clone(), region });
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_auth(Auth(keys.clone()));
        builder.set_access(Gate { keys: keys.clone(), projects });
        builder.set_validation(AnyName);
        if let Some(domain) = &domain {
            builder.set_host(Domain(domain.clone()));
        }
        let addresses = Places::new(limits.requests, limits.requests_per_address);
        Self { service: builder.build(), objects, keys, domain, limits, addresses }
    }

    async fn answer(&self, request: Request<RequestBody>) -> Response {
        let started = Instant::now();
        let request_id = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
        let (method, path) = (request.method().clone(), cut(request.uri().path()));
        let source = request.extensions().get::<Peer>().map(|peer| Source::from(peer.0.ip()));
        let seen = Seen::default();
        let place = source.map(|source| self.addresses.enter_busy(source)).transpose();
        let (mut response, place) = match place {
            Ok(place) => {
                let visit = self.visit(request, seen.clone());
                let response = match source {
                    Some(source) => source.ask(visit).await,
                    None => visit.await,
                };
                (response, place)
            }
            Err(_) => (render(S3Error::with_message(Code::SlowDown, "As many requests are under way as may be.")), None),
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        let status = response.status();
        self.log(&request_id, &method, &path, status, started, seen.who().map(AsRef::as_ref));
        let is_long =
            !method_is_head(&method) && hyper::body::Body::size_hint(response.body()).exact().is_none_or(|size| size > 0);
        let body = response.map(|body| body.map_err(io::Error::other).boxed_unsync());
        if is_long {
            return body.map(|body| HeededBody::new(Kept::new(body, place), self.limits.pace.idle).boxed_unsync());
        }
        body
    }

    async fn visit(&self, request: Request<RequestBody>, seen: Seen) -> HttpResponse {
        if let Err(error) = check(&request) {
            return render(error);
        }
        let page = Page::of(&request, self.domain.as_deref());
        if cors::is_preflight(&request) {
            return match page {
                Some(page) => page.preflight(self.objects.as_ref(), &self.keys, &request).await,
                None => cors::nothing(),
            };
        }
        let pace = self.limits.pace;
        let mut request: HttpRequest = request.map(|body| Body::http_body(PacedBody::new(body, pace)));
        request.extensions_mut().insert(seen.clone());
        let mut response = match self.service.call(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(?error, "the S3 door has no answer");
                render(S3Error::new(Code::InternalError))
            }
        };
        if let (Some(page), Some(who)) = (page, seen.who()) {
            page.mark(self.objects.as_ref(), who, response.headers_mut()).await;
        }
        response
    }

    fn log(&self, id: &str, method: &Method, path: &str, status: StatusCode, started: Instant, who: Option<&Caller>) {
        let seconds = started.elapsed().as_secs_f64();
        metrics::counter!("http_requests_total", "service" => "s3", "status" => class(status)).increment(1);
        metrics::histogram!("http_request_seconds", "service" => "s3").record(seconds);
        if who.is_none() {
            // Strangers write no lines: there is nothing to learn from them but their number, which is counted.
            tracing::debug!(request_id = id, %method, path, status = status.as_u16(), "S3 request of a stranger");
            return;
        }
        tracing::info!(
            request_id = id,
            %method,
            path,
            status = status.as_u16(),
            ms = format_args!("{:.2}", seconds * 1e3),
            user = who.map(|caller| caller.user.id.as_str()),
            project = who.and_then(Caller::project_id).map(types::ProjectId::as_str),
            "S3 request"
        );
    }
}

impl Serves for Door {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn handle(&self, request: Request<RequestBody>) -> BoxFuture<'_, Response> {
        Box::pin(self.answer(request))
    }
}

/// What is refused before the protocol is read: what is too long, and two ways in that are not here.
fn check(request: &Request<RequestBody>) -> Result<(), S3Error> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > LONGEST_TARGET {
        let mut error = S3Error::with_message(Code::Custom("RequestURITooLong".into()), "The request's address is too long.");
        error.set_status_code(StatusCode::URI_TOO_LONG);
        return Err(error);
    }
    let text = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    if text(header::AUTHORIZATION).starts_with("AWS ") || query.split('&').any(|pair| pair.starts_with("AWSAccessKeyId=")) {
        return Err(error::invalid("Signatures are of version 4 here; older ones are not good enough."));
    }
    // What is posted is a document; objects are put.
    let length = text(header::CONTENT_LENGTH).parse().unwrap_or(0_usize);
    if request.method() == Method::POST && length > LONGEST_DOCUMENT {
        return Err(S3Error::with_message(
            Code::MaxMessageLengthExceeded,
            "The document is longer than 3 MiB, which is the most here.",
        ));
    }
    if request.method() == Method::POST && text(header::CONTENT_TYPE).starts_with("multipart/form-data") {
        return Err(error::not_implemented("Forms are not taken here; sign an address for PUT instead."));
    }
    Ok(())
}

/// The region as it can stand in a signature: small letters, digits and hyphens. Clients sign with what they are told.
fn in_signatures(region: &str) -> String {
    let known = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    region.chars().map(known).collect()
}

fn method_is_head(method: &Method) -> bool {
    *method == Method::HEAD
}

fn cut(text: &str) -> String {
    text.chars().take(LOGGED).collect()
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
