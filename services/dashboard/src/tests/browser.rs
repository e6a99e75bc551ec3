// SPDX-License-Identifier: Apache-2.0
//! A browser: it keeps cookies, says where its requests come from, and follows nothing by itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use api::{Peer, RequestBody, Response, Serves};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use crate::Dashboard;

#[derive(Clone)]
pub struct Browser {
    dashboard: Arc<Dashboard>,
    pub cookies: BTreeMap<String, String>,
    /// Headers of every request.
    pub says: Vec<(String, String)>,
}

pub struct Shown {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub request: String,
}

impl Browser {
    pub fn of(dashboard: Arc<Dashboard>) -> Self {
        let says = vec![("sec-fetch-site".to_owned(), "same-origin".to_owned())];
        Self { dashboard, cookies: BTreeMap::new(), says }
    }

    #[must_use]
    pub fn saying(&self, headers: &[(&str, &str)]) -> Self {
        let says = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { says, ..self.clone() }
    }

    pub async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut request = Request::builder().method(method).uri(path).header("host", "cloud.test");
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        let says = self.says.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in says.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let body: RequestBody = Full::from(body).map_err(|never| match never {}).boxed();
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(Peer(([127, 0, 0, 1], 4000).into()));
        self.dashboard.handle(request).await
    }

    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Shown {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        Shown { status: parts.status, headers: parts.headers, text, request: format!("{method} {path}") }
    }

    pub async fn get(&mut self, path: &str) -> Shown {
        self.send("GET", path, &[], Vec::new()).await
    }

    /// As our own scripts ask.
    pub async fn script(&mut self, method: &str, path: &str, document: Value) -> Shown {
        let body = if document.is_null() { Vec::new() } else { document.to_string().into_bytes() };
        self.send(method, path, &[("x-ferrostack-menus", "1"), ("content-type", "application/json")], body).await
    }

    pub async fn api(&mut self, method: &str, path: &str, document: Value) -> Shown {
        self.script(method, &format!("/dashboard/api{path}"), document).await
    }

    pub async fn api_get(&mut self, path: &str) -> Shown {
        self.api("GET", path, Value::Null).await
    }

    pub async fn api_post(&mut self, path: &str, document: Value) -> Shown {
        self.api("POST", path, document).await
    }

    pub async fn sign_in(&mut self, name: &str, project: &str) -> Shown {
        self.script("POST", "/dashboard/session", login(name, project)).await
    }

    pub async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body.into_bytes()).await
    }

    /// The session's token, which the browser knows and no script does.
    pub fn token(&self) -> String {
        self.cookies["ferrostack_session"].clone()
    }

    pub async fn listen(&self, headers: &[(&str, &str)]) -> Listening {
        let response = self.open("GET", "/dashboard/events", headers, Vec::new()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listening { body: response.into_body(), pending: String::new() }
    }
}

pub fn login(name: &str, project: &str) -> Value {
    let user = json!({"name": name, "domain": {"name": "Default"}, "password": format!("{name}-pw")});
    json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": project, "domain": {"name": "Default"}}}}})
}

impl Shown {
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.request, self.text);
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A page that follows the events.
pub struct Listening {
    body: api::Body,
    pending: String,
}

pub const PATIENCE: Duration = Duration::from_secs(20);

impl Listening {
    /// The next message: its kind, its id, its data. None when the stream has ended.
    pub async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((message, rest)) = self.pending.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.pending = rest;
                if message.starts_with(':') {
                    continue;
                }
                let line = |name: &str| {
                    let found = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    found.unwrap_or_default().to_owned()
                };
                return Some((line("event"), line("id"), serde_json::from_str(&line("data")).unwrap()));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("something is told in time");
            self.pending.push_str(std::str::from_utf8(&frame?.unwrap().into_data().unwrap()).unwrap());
        }
    }

    #[track_caller]
    pub fn is_silent(&mut self) -> bool {
        use futures_util::FutureExt;
        self.pending.is_empty() && self.body.frame().now_or_never().is_none()
    }
}
