// SPDX-License-Identifier: Apache-2.0
//! Asking the door of the APIs in somebody's name, within the process.

use api::{Fault, Peer, RequestBody, Response};
use bounds::PacedBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, request::Parts, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::Value;

use crate::{Dashboard, reply::Answer};

const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// Bytes of an answer that is read here, and not by the browser.
const LONGEST_ANSWER: usize = 4 << 20;

/// One question. It comes from where the browser's request came from, and reached us under the same name.
pub(crate) struct Question<'a> {
    pub from: &'a Parts,
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub token: Option<&'a str>,
    pub headers: HeaderMap,
}

pub(crate) struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl<'a> Question<'a> {
    pub fn new(from: &'a Parts, method: Method, target: impl Into<String>) -> Self {
        Self { from, method, target: target.into(), token: None, headers: HeaderMap::new() }
    }

    pub fn with_token(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Takes over this header of the browser's request.
    pub fn taking(mut self, name: HeaderName) -> Self {
        self.headers.extend(self.from.headers.get(&name).map(|value| (name, value.clone())));
        self
    }

    pub async fn ask(self, dashboard: &Dashboard, body: RequestBody) -> Answer {
        let bad = || Fault::bad_request("The request's address cannot be read.");
        let mut place = self.from.uri.clone().into_parts();
        place.path_and_query = Some(PathAndQuery::try_from(self.target).map_err(|_| bad())?);
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from_parts(place).map_err(|_| bad())?;
        *request.headers_mut() = self.headers;
        request.headers_mut().extend(self.from.headers.get(header::HOST).map(|host| (header::HOST, host.clone())));
        if let Some(token) = self.token {
            let mut token = HeaderValue::from_str(token).map_err(|_| Fault::unauthorized())?;
            token.set_sensitive(true);
            request.headers_mut().insert(AUTH_TOKEN, token);
        }
        if let Some(peer) = self.from.extensions.get::<Peer>() {
            request.extensions_mut().insert(*peer);
        }
        Ok(dashboard.parts.door.handle(request).await)
    }

    /// With a document, or nothing, and an answer that is read at once.
    pub async fn say(mut self, dashboard: &Dashboard, document: Option<&Value>) -> Result<Said, Fault> {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let document = document.map_or_else(Bytes::new, |document| Bytes::from(document.to_string()));
        read(self.ask(dashboard, whole(document)).await?).await
    }
}

pub(crate) fn whole(bytes: Bytes) -> RequestBody {
    Full::from(bytes).map_err(|never| match never {}).boxed()
}

/// The body of a request, within so many bytes and the door's patience.
pub(crate) async fn body(dashboard: &Dashboard, body: RequestBody, most: usize) -> Result<Bytes, Fault> {
    let pace = dashboard.parts.door.limits().pace;
    match Limited::new(PacedBody::new(body, pace), most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<std::io::Error>() {
            Ok(error) => Fault::broken_body(&error),
            Err(_) => Fault::too_large(format!("The body of this request may hold {most} bytes.")),
        }),
    }
}

async fn read(response: Response) -> Result<Said, Fault> {
    let (parts, body) = response.into_parts();
    match Limited::new(body, LONGEST_ANSWER).collect().await {
        Ok(body) => Ok(Said { status: parts.status, headers: parts.headers, body: body.to_bytes() }),
        Err(error) => Err(Fault::internal(format_args!("read an answer of the APIs: {error}"))),
    }
}
