// SPDX-License-Identifier: Apache-2.0
//! An issuer: where its endpoints are, by its own discovery document, and which keys it signs with now.
//!
//! Both are fetched when first needed and kept for an hour. A token with a key that is not known makes us look again,
//! since that is how keys are rotated; but not more often than three times a minute, whoever sends what. When the issuer
//! does not answer, what was known before goes on being used.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};
use types::Secret;
use web::{Client, Request};

use super::{
    Denial,
    jwt::{Claims, Unverified},
    keys::{self, Key},
};

const KEPT: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
pub const TRIES_A_MINUTE: usize = 3;
const TURNS: usize = 16;

pub struct Issuer {
    client: Client,
    url: String,
    known: Mutex<Known>,
    /// So that nobody makes us flood the issuer with tokens and codes to look at.
    turns: Semaphore,
}

#[derive(Default)]
struct Known {
    document: Option<Arc<Document>>,
    keys: Arc<Vec<Key>>,
    fetched_at: Option<Instant>,
    /// Within the last minute.
    tries: Vec<Instant>,
}

/// What discovery says, as far as it is used.
#[derive(Debug, Deserialize)]
pub struct Document {
    issuer: String,
    jwks_uri: String,
    pub authorization_endpoint: Option<String>,
    pub token_endpoint: Option<String>,
    pub userinfo_endpoint: Option<String>,
    pub introspection_endpoint: Option<String>,
}

impl Issuer {
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned(), known: Mutex::default(), turns: Semaphore::new(TURNS) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn document(&self) -> Result<Arc<Document>, Denial> {
        let mut known = self.known.lock().await;
        self.ensure_fresh(&mut known).await?;
        known.document.clone().ok_or(UNKNOWN)
    }

    /// What the token says, if this issuer signed it.
    pub async fn verify(&self, token: &str) -> Result<Claims, Denial> {
        let unverified = Unverified::read(token)?;
        let keys = {
            let mut known = self.known.lock().await;
            self.ensure_fresh(&mut known).await?;
            let is_known = unverified.key_id.is_none() || known.keys.iter().any(|key| key.id == unverified.key_id);
            if !is_known && known.may_try() {
                self.fetch(&mut known).await?;
            }
            known.keys.clone()
        };
        unverified.verify(&keys).ok_or_else(|| Denial::refused("no key of the issuer made the token's signature"))
    }

    /// Posts a form, as the client that we are, and reads the answer.
    pub async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &[(&str, &str)],
        client: (&str, Option<&Secret<String>>),
        what: &'static str,
    ) -> Result<T, Denial> {
        let _turn =
            self.turns.try_acquire().map_err(|_| Denial::Unreachable { what: "too many ask it at once", source: None })?;
        self.ask(form_request(url, form, client)?, what).await
    }

    /// Gets a document with a token of its own.
    pub async fn get_with<T: DeserializeOwned>(&self, url: &str, token: &str, what: &'static str) -> Result<T, Denial> {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Denial::refused("the token is malformed"))?;
        self.ask(Request::get(url).header(header::AUTHORIZATION, bearer), what).await
    }

    async fn ensure_fresh(&self, known: &mut Known) -> Result<(), Denial> {
        if known.fetched_at.is_some_and(|at| at.elapsed() < KEPT) {
            return Ok(());
        }
        if !known.may_try() {
            return if known.document.is_some() { Ok(()) } else { Err(UNKNOWN) };
        }
        match self.fetch(known).await {
            Err(cause) if known.document.is_some() => {
                tracing::warn!(%cause, issuer = self.url, "an identity provider does not answer; its keys of before are used");
                Ok(())
            }
            other => other,
        }
    }

    async fn fetch(&self, known: &mut Known) -> Result<(), Denial> {
        known.tries.push(Instant::now());
        let place = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let document: Document = self.ask(Request::get(&place), "its discovery document").await?;
        if document.issuer != self.url {
            return Err(Denial::Unreachable { what: "its discovery document names another issuer", source: None });
        }
        let set: Value = self.ask(Request::get(&document.jwks_uri), "its keys").await?;
        known.keys = Arc::new(keys::read_set(&set));
        known.document = Some(Arc::new(document));
        known.fetched_at = Some(Instant::now());
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request, what: &'static str) -> Result<T, Denial> {
        let unreachable = |source| Denial::Unreachable { what, source: Some(source) };
        let response = self.client.send(request).await.map_err(unreachable)?;
        let status = response.status;
        let bytes = response.body.bytes().await.map_err(unreachable)?;
        if status.is_client_error() {
            // `{"error": "invalid_grant"}`: about what was sent, not about the issuer.
            return Err(Denial::refused(format!("the identity provider refused ({what}): {status}")));
        }
        if !status.is_success() {
            return Err(unreachable(web::Error::Status(status)));
        }
        serde_json::from_slice(&bytes).map_err(|_| Denial::Unreachable { what, source: None })
    }
}

const UNKNOWN: Denial = Denial::Unreachable { what: "it did not a moment ago", source: None };

impl Known {
    fn may_try(&mut self) -> bool {
        self.tries.retain(|at| at.elapsed() < MINUTE);
        self.tries.len() < TRIES_A_MINUTE
    }
}

fn form_request(url: &str, form: &[(&str, &str)], client: (&str, Option<&Secret<String>>)) -> Result<Request, Denial> {
    let mut fields = form_urlencoded::Serializer::new(String::new());
    fields.extend_pairs(form);
    let mut request = Request::new(http::Method::POST, url);
    match client {
        (id, Some(secret)) => request = request.header(header::AUTHORIZATION, basic(id, secret)?),
        (id, None) => {
            fields.append_pair("client_id", id);
        }
    }
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    Ok(request.header(header::CONTENT_TYPE, form).bytes(fields.finish()))
}

/// RFC 6749, 2.3.1: both halves are encoded as in a form first.
fn basic(id: &str, secret: &Secret<String>) -> Result<HeaderValue, Denial> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(id), encoded(secret.reveal()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| Denial::refused("the client's secret cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}
