// SPDX-License-Identifier: Apache-2.0
//! From a request to its answer: ours below `/dashboard`, the APIs' everywhere else.

use std::time::Instant;

use api::{Fault, FaultStyle, Limits, RequestBody, Response, Serves, empty};
use contracts::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts};

use crate::{
    Dashboard, asset, download, event, forward, page,
    reply::{Answer, private, see_other},
    sandbox, session,
};

const HERE: &str = "/dashboard";
/// Where tenants' files are, of whatever kind.
const OBJECTS: &str = "/object-store/";

impl Serves for Dashboard {
    fn limits(&self) -> &Limits {
        self.parts.door.limits()
    }

    fn handle(&self, request: Request<RequestBody>) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            let path = request.uri().path();
            match path.strip_prefix(HERE) {
                Some(below) if below.is_empty() || below.starts_with('/') => {
                    let below = below.to_owned();
                    self.answer(&below, request).await
                }
                _ if path == "/" && is_a_person(request.headers()) => to_the_menus(),
                _ if path.starts_with(OBJECTS) => sandbox::confined(self.parts.door.handle(request).await),
                _ => sandbox::unsniffed(self.parts.door.handle(request).await),
            }
        })
    }
}

impl Dashboard {
    async fn answer(&self, below: &str, request: Request<RequestBody>) -> Response {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let is_head = parts.method == Method::HEAD;
        let mut response = match self.visit(below, parts, body).await {
            Ok(response) => response,
            Err(fault) => {
                let id = format!("req-{}", uuid::Uuid::new_v4());
                let mut response = private(FaultStyle::Keystone.render(&fault, &id));
                response.headers_mut().extend(HeaderValue::from_str(&id).map(|id| (page::REQUEST_ID, id)));
                response
            }
        };
        if is_head {
            *response.body_mut() = empty(StatusCode::OK).into_body();
        }
        let class = match response.status().as_u16() / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        metrics::counter!("http_requests_total", "service" => "dashboard", "status" => class).increment(1);
        metrics::histogram!("http_request_seconds", "service" => "dashboard").record(began.elapsed().as_secs_f64());
        page::guard(&mut response);
        response
    }

    async fn visit(&self, below: &str, parts: Parts, body: RequestBody) -> Answer {
        let path = below.trim_start_matches('/').to_owned();
        if let Some(rest) = below.strip_prefix("/api/") {
            let rest = format!("/{rest}");
            return forward::forward(self, &rest, parts, body).await;
        }
        if let Some(rest) = below.strip_prefix("/download/") {
            let rest = format!("/{rest}");
            return download::download(self, &rest, parts, body).await;
        }
        match (&parts.method, path.as_str()) {
            (_, "session" | "session/scope" | "session/oidc" | "session/websso" | "sign-in" | "sign-out") => {
                session::answer(self, &path, parts, body).await
            }
            (&Method::GET, "events") => event::follow(self, &parts).await,
            (&Method::GET | &Method::HEAD, _) if below.is_empty() => see_other("/dashboard/"),
            (&Method::GET | &Method::HEAD, _) => match asset::find(&path) {
                Some(file) => Ok(file?.answer(&parts.headers)),
                None => page::show(self, &parts, None).await,
            },
            (method, _) => {
                let message = format!("The method {method} is not allowed for a page of the menus.");
                Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, message)
                    .header(header::ALLOW, HeaderValue::from_static("GET, HEAD")))
            }
        }
    }
}

/// A browser that was given the address alone, and not a client that wants to know which APIs there are.
fn is_a_person(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn to_the_menus() -> Response {
    see_other("/dashboard/").unwrap_or_else(|fault| FaultStyle::Keystone.render(&fault, ""))
}
