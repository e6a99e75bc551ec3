// SPDX-License-Identifier: Apache-2.0
//! Pages of other sites at this door, as the owner of a bucket has said of it in Swift's words
//! (`X-Container-Meta-Access-Control-Allow-Origin`). A browser asks before it sends, and signs nothing then; whose bucket it
//! means is known by the key in the signed address that it will send to.

use contracts::objects::{Objects, Origin, Who};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode as Code};

use crate::{error::render, gate::Keys};

const METHODS: &str = "GET, PUT, POST, DELETE, HEAD";

/// A request of a page, and the bucket that it is about.
pub struct Page {
    origin: String,
    bucket: String,
}

impl Page {
    pub fn of<B>(request: &Request<B>, domain: Option<&str>) -> Option<Self> {
        let origin = request.headers().get(header::ORIGIN)?.to_str().ok()?.to_owned();
        let bucket = bucket(request, domain).filter(|bucket| !bucket.is_empty())?;
        Some(Self { origin, bucket })
    }

    /// What an answer says to it.
    pub async fn mark(&self, objects: &dyn Objects, who: &Who, headers: &mut HeaderMap) {
        let Ok(Some(origin)) = objects.origin(who, &self.bucket, &self.origin).await else { return };
        set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin.allowed);
        let own: Vec<String> = headers.keys().map(ToString::to_string).filter(|name| name.starts_with("x-amz-")).collect();
        let exposed = ["ETag".to_owned()].into_iter().chain(origin.exposed).chain(own).collect::<Vec<_>>().join(", ");
        set(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &exposed);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }

    /// What a browser is told that asks before it sends.
    pub async fn preflight<B>(&self, objects: &dyn Objects, keys: &Keys, request: &Request<B>) -> HttpResponse {
        let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = text(header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default();
        let origin = match key(request) {
            Some(access) if METHODS.split(", ").any(|method| method == asked) => self.origin_by(objects, keys, &access).await,
            _ => None,
        };
        let Some(origin) = origin else {
            let why = "This site may not, by what the bucket's owner has said, or the address is not a signed one.";
            return render(S3Error::with_message(Code::Custom("AccessForbidden".into()), why));
        };
        let mut response = HttpResponse::new(Body::empty());
        let headers = response.headers_mut();
        set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin.allowed);
        set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, text(header::ACCESS_CONTROL_REQUEST_HEADERS)),
            (header::ACCESS_CONTROL_MAX_AGE, origin.max_age.as_deref()),
        ] {
            if let Some(value) = value {
                set(headers, name, value);
            }
        }
        headers.insert(header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
        response
    }

    async fn origin_by(&self, objects: &dyn Objects, keys: &Keys, access: &str) -> Option<Origin> {
        let who = keys.find(access).await.ok()?.caller;
        objects.origin(&who, &self.bucket, &self.origin).await.ok().flatten()
    }
}

pub fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
}

/// A browser that brings no site asks nothing that there is an answer to.
pub fn nothing() -> HttpResponse {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

fn bucket<B>(request: &Request<B>, domain: Option<&str>) -> Option<String> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let before = domain.and_then(|domain| host.strip_suffix(domain)).and_then(|rest| rest.strip_suffix('.'));
    match before.filter(|bucket| !bucket.is_empty()) {
        Some(bucket) => Some(bucket.to_ascii_lowercase()),
        None => {
            let first = request.uri().path().trim_start_matches('/').split('/').next()?;
            percent_encoding::percent_decode_str(first).decode_utf8().ok().map(Into::into)
        }
    }
}

/// Of the key in a signed address.
fn key<B>(request: &Request<B>) -> Option<String> {
    let credential = request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    let credential = percent_encoding::percent_decode_str(credential).decode_utf8().ok()?;
    credential.split('/').next().filter(|key| !key.is_empty()).map(str::to_owned)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
