// SPDX-License-Identifier: Apache-2.0
//! People who come with a browser: sent to the issuer, and back with a code (OpenID Connect's authorization code flow).
//!
//! Nothing is kept here between the two. What the way back needs travels in a sealed cookie of that browser: the state
//! that ties the answer to the question, the nonce that ties the token to it, the verifier without which the code is
//! worth nothing (PKCE), and the dashboard that waits.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Connection, Denial, claims, jwt::Claims};

/// A login on its way.
#[derive(Serialize, Deserialize)]
pub struct Journey {
    pub identity_provider: String,
    pub protocol: String,
    /// The dashboard that gets the token.
    pub origin: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    verifier: String,
}

/// What the issuer sends back with the browser.
#[derive(Debug, Default)]
pub struct Return<'a> {
    pub code: Option<&'a str>,
    pub state: Option<&'a str>,
    pub issuer: Option<&'a str>,
    pub error: Option<&'a str>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl Connection {
    /// Where to send the browser, and what it is to bring back.
    pub async fn depart(&self, origin: &str, redirect_uri: String) -> Result<(String, Journey), Denial> {
        let document = self.issuer.document().await?;
        let endpoint = document
            .authorization_endpoint
            .as_deref()
            .ok_or(Denial::Unreachable { what: "it has no page to log in", source: None })?;
        let journey = Journey {
            identity_provider: self.settings.identity_provider.clone(),
            protocol: self.settings.protocol.clone(),
            origin: origin.to_owned(),
            redirect_uri,
            state: random()?,
            nonce: random()?,
            verifier: random()?,
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&journey.verifier));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &journey.redirect_uri),
            ("scope", &self.settings.scopes.join(" ")),
            ("state", &journey.state),
            ("nonce", &journey.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok((format!("{endpoint}{joint}{}", query.finish()), journey))
    }

    /// Who came back.
    pub async fn arrive(&self, journey: &Journey, back: &Return<'_>) -> Result<Claims, Denial> {
        let state = back.state.unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(journey.state.as_bytes())) {
            return Err(Denial::refused("the answer belongs to another login"));
        }
        if back.issuer.is_some_and(|issuer| issuer != self.issuer.url()) {
            return Err(Denial::refused("the answer is of another issuer"));
        }
        if let Some(error) = back.error {
            return Err(Denial::refused(format!("the identity provider said no: {}", error.escape_default())));
        }
        let code = back.code.ok_or_else(|| Denial::refused("the answer has no code"))?;
        let document = self.issuer.document().await?;
        let endpoint =
            document.token_endpoint.as_deref().ok_or(Denial::Unreachable { what: "it has no token endpoint", source: None })?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &journey.redirect_uri),
            ("code_verifier", &journey.verifier),
        ];
        let client = (self.settings.client_id.as_str(), self.settings.client_secret.as_ref());
        let tokens: Tokens = self.issuer.post(endpoint, &form, client, "its token endpoint").await?;
        let id_token =
            tokens.id_token.ok_or_else(|| Denial::refused("the code bought no ID token; is 'openid' among the scopes?"))?;
        let mut claims = self.issuer.verify(&id_token).await?;
        self.check_id_token(&claims, &journey.nonce)?;
        if let (Some(endpoint), Some(access_token)) = (&document.userinfo_endpoint, &tokens.access_token) {
            let more: Claims = self.issuer.get_with(endpoint, access_token, "what it says of the user").await?;
            if more.get("sub") != claims.get("sub") {
                return Err(Denial::refused("the identity provider's answers are about two people"));
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(claims)
    }

    /// OpenID Connect Core, 3.1.3.7.
    fn check_id_token(&self, token: &Claims, nonce: &str) -> Result<(), Denial> {
        let own = self.settings.client_id.as_str();
        claims::check(token, self.issuer.url(), &[own])?;
        let party = token.get("azp").and_then(Value::as_str);
        if party.is_some_and(|party| party != own) || (party.is_none() && claims::audience(token).len() > 1) {
            return Err(Denial::refused("the ID token was made for another client"));
        }
        if token.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return Err(Denial::refused("the ID token belongs to another login"));
        }
        Ok(())
    }
}

fn random() -> Result<String, Denial> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Denial::refused("the host has no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
