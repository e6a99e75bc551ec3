// SPDX-License-Identifier: Apache-2.0
//! What went wrong, and how each OpenStack service says so.
//!
//! A [`Fault`] is written once, in plain words. Only at the edge does it become Nova's
//! `{"itemNotFound": {"code", "message"}}`, Keystone's `{"error": …}`, Neutron's `{"NeutronError": …}` and so on.

use std::borrow::Cow;

use access::Denied;
use contracts::{Refusal, RefusalKind};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use crate::reply::{Response, json_bytes, text};

#[derive(Debug, Clone)]
pub struct Fault {
    pub status: StatusCode,
    /// The name that the service gives to this kind of fault: Neutron's `type`, Placement's `code`. Derived from the
    /// status where a service has no names.
    pub kind: Option<Cow<'static, str>>,
    /// A sentence that names the cause and, where there is one, the way out.
    pub message: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Fault {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, kind: None, message: message.into(), headers: Vec::new() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "The request you have made requires authentication.")
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// The body of the request ended before its end.
    pub fn broken_body(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::TimedOut {
            return Self::new(StatusCode::REQUEST_TIMEOUT, format!("The request body did not come in time: {error}."));
        }
        Self::bad_request(format!("The request body broke off: {error}."))
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// Our own fault. The detail goes to the log, where the operator finds it by the request id; the client gets
    /// the fact only, since details name paths and tables.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        tracing::error!(%detail, "a request failed by our own fault");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The request failed by an error of the cloud itself. It is in the operator's log under this request id.",
        )
    }

    /// Names the kind, for services that have names.
    pub fn kind(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Forbidden | RefusalKind::Exhausted => StatusCode::FORBIDDEN,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            RefusalKind::Internal => return Self::internal(refusal.message),
        };
        Self::new(status, refusal.message)
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        Self::forbidden(denied.to_string()).kind("PolicyNotAuthorized")
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict => {
                Self::conflict("Another request changed this first. Read it again and repeat the change if it is still wanted.")
            }
            store::Error::Busy { .. } | store::Error::Unreachable { .. } | store::Error::Closed => {
                tracing::error!(cause = ?error, "the database does not answer");
                Self::unavailable("The cloud's database does not answer now. Nothing was changed; try again.")
            }
            store::Error::InDoubt { .. } => {
                tracing::error!(cause = ?error, "the database did not say whether a change was kept");
                Self::unavailable(
                    "The cloud's database stopped answering before it said whether the change was made. Look before you try again.",
                )
            }
            store::Error::TooWide { what, most } => {
                Self::bad_request(format!("The query holds more than {most} {what}. Ask for fewer at once."))
            }
            store::Error::Full { .. } => {
                tracing::error!(cause = ?error, "the disk of the database is full");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "The disk of the cloud's database is full. Nothing was changed; it works again when its operator has made room.",
                )
            }
            other => Self::internal(format_args!("{other:?}")),
        }
    }
}

/// The shape in which a service speaks of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultStyle {
    /// `{"error": {"code": 404, "title": "Not Found", "message": "…"}}`
    Keystone,
    /// `{"itemNotFound": {"code": 404, "message": "…"}}`
    Nova,
    /// The same; the project may be a part of the path.
    Cinder,
    /// A small page of HTML, as webob makes it.
    Glance,
    /// `<html><h1>Not Found</h1><p>…</p></html>`
    Swift,
    /// `{"NeutronError": {"type": "PortNotFound", "message": "…", "detail": ""}}`
    Neutron,
    /// `{"errors": [{"status", "title", "detail", "code", "request_id"}]}`
    Placement,
    /// `{"faultcode": "Client", "faultstring": "…", "debuginfo": null}`
    Octavia,
}

impl FaultStyle {
    pub fn render(self, fault: &Fault, request_id: &str) -> Response {
        let code = fault.status.as_u16();
        let title = fault.status.canonical_reason().unwrap_or("Error");
        let message = &fault.message;
        let kind = fault.kind.as_deref();
        let body = match self {
            Self::Keystone => json!({"error": {"code": code, "message": message, "title": title}}),
            Self::Nova | Self::Cinder => json!({nova_name(fault.status): {"code": code, "message": message}}),
            Self::Neutron => {
                json!({"NeutronError": {"type": kind.unwrap_or_else(|| neutron_type(fault.status)), "message": message, "detail": ""}})
            }
            Self::Placement => json!({"errors": [{
                "status": code, "title": title, "detail": format!("{message}\n\n   "),
                "code": kind.unwrap_or("placement.undefined_code"), "request_id": request_id,
            }]}),
            Self::Octavia => {
                let whose = if fault.status.is_server_error() { "Server" } else { "Client" };
                json!({"faultcode": whose, "faultstring": message, "debuginfo": null})
            }
            Self::Swift => {
                let page = format!("<html><h1>{title}</h1><p>{}</p></html>", escape_html(message));
                return with_headers(text(fault.status, "text/html; charset=UTF-8", page), fault);
            }
            Self::Glance => {
                let page = format!(
                    "<html>\n <head>\n  <title>{code} {title}</title>\n </head>\n <body>\n  <h1>{code} {title}</h1>\n  {}<br /><br />\n\n\n </body>\n</html>",
                    escape_html(message)
                );
                return with_headers(text(fault.status, "text/html; charset=UTF-8", page), fault);
            }
        };
        with_headers(json_bytes(fault.status, body.to_string().into_bytes()), fault)
    }
}

fn with_headers(mut response: Response, fault: &Fault) -> Response {
    for (name, value) in &fault.headers {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

/// Nova's and Cinder's word for each status (`nova.api.openstack.wsgi.Fault`).
fn nova_name(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "badRequest",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        413 => "overLimit",
        415 => "badMediaType",
        429 => "overLimit",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

fn neutron_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "HTTPBadRequest",
        401 => "HTTPUnauthorized",
        403 => "HTTPForbidden",
        404 => "HTTPNotFound",
        405 => "HTTPMethodNotAllowed",
        408 => "HTTPRequestTimeout",
        409 => "HTTPConflict",
        413 => "HTTPRequestEntityTooLarge",
        414 => "HTTPRequestURITooLong",
        429 => "HTTPTooManyRequests",
        503 => "HTTPServiceUnavailable",
        _ => "HTTPInternalServerError",
    }
}

/// Text as it may stand in HTML, in quotes too.
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    escaped
}
