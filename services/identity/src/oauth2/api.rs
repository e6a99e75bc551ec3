// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-OAUTH2/token`

use std::sync::Arc;

use api::{Access, Cx, Reply, Response, Routes, json};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use types::Secret;

use crate::{
    Identity,
    error::{Error, Result},
    token::{
        issue::{Issued, LoggedIn},
        login::Asking,
    },
};

pub fn routes() -> Routes<Identity> {
    Routes::new().post("/v3/OS-OAUTH2/token", Access::Public, grant)
}

/// Why there is no token, in RFC 6749's words.
enum Refusal {
    Request(String),
    GrantType(String),
    Client(String),
    Other(StatusCode),
}

/// The client's name and secret.
struct Client {
    id: String,
    secret: Secret<String>,
}

async fn grant(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let body = cx.bytes().await?;
    let asking = Asking::of(&cx);
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let granted = match client(&form, cx.header("authorization")) {
        Ok(client) => room.grant_to(client, &asking).await.map_err(Refusal::from),
        Err(refusal) => Err(refusal),
    };
    let mut response = match granted {
        Ok(issued) => json(StatusCode::OK, &document(&room, &issued)),
        Err(refusal) => refusal.render(&cx),
    }?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn document(room: &Identity, issued: &Issued) -> Value {
    json!({"access_token": issued.token, "token_type": "Bearer", "expires_in": room.settings.token_lifetime.as_secs()})
}

/// Who asks: by HTTP Basic, or by fields of the form.
fn client(form: &[(String, String)], authorization: Option<&str>) -> Result<Client, Refusal> {
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(other) => return Err(Refusal::GrantType(format!("The parameter grant_type {other} is not supported."))),
        None => return Err(Refusal::Request("The parameter grant_type is required.".to_owned())),
    }
    let named = match authorization.and_then(basic) {
        Some((id, secret)) => Some((id, secret)),
        None => field("client_id").zip(field("client_secret")),
    };
    match named {
        Some((id, secret)) if !id.is_empty() && !secret.is_empty() => Ok(Client { id, secret: Secret::new(secret) }),
        _ => Err(Refusal::Client("Client authentication failed.".to_owned())),
    }
}

fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let decoded = STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

impl Identity {
    async fn grant_to(&self, client: Client, asking: &Asking) -> Result<Issued> {
        let credential = json!({"id": client.id, "secret": client.secret.reveal()});
        let identity = json!({"methods": ["application_credential"], "application_credential": credential});
        let login = serde_json::from_value(json!({"identity": identity})).map_err(|cause| Error::Invalid(cause.to_string()))?;
        match self.log_in(login, asking).await {
            Ok(LoggedIn::Issued(issued)) => Ok(issued),
            // Its owner's rules want a second method, which a client has not.
            Ok(LoggedIn::Halfway(_)) => Err(Error::Unauthorized),
            // RFC 6749, 5.2 has one word for a client that is not known and for one with a wrong secret.
            Err(Error::NotFound { .. }) => Err(Error::Unauthorized),
            Err(error) => Err(error),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthorized => Self::Client(error.to_string()),
            Error::Invalid(message) => Self::Request(message),
            error => Self::Other(api::Fault::from(error).status),
        }
    }
}

impl Refusal {
    fn render(self, cx: &Cx) -> Result<Response, api::Fault> {
        let unknown = "An unknown error occurred and failed to get an OAuth2.0 access token.";
        let (status, error, description) = match self {
            Self::Request(description) => (StatusCode::BAD_REQUEST, "invalid_request", description),
            Self::GrantType(description) => (StatusCode::BAD_REQUEST, "unsupported_grant_type", description),
            Self::Client(description) => (StatusCode::UNAUTHORIZED, "invalid_client", description),
            Self::Other(status) => (status, "other_error", unknown.to_owned()),
        };
        let mut response = json(status, &json!({"error": error, "error_description": description}))?;
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_str(&format!("Keystone uri=\"{}\"", cx.url("/v3/OS-OAUTH2/token")));
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.map_err(api::Fault::internal)?);
        }
        Ok(response)
    }
}
