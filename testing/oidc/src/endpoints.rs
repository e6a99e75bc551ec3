// SPDX-License-Identifier: Apache-2.0
//! The endpoints: discovery, keys, the login page, tokens, what is said of the user, introspection.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{AccessTokens, CLIENT, Code, Inner, SECRET};

type Form = HashMap<String, String>;
type Answer = Response<Full<Bytes>>;

pub async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = head.uri.path().to_owned();
    *inner.lock().asked.entry(path.clone()).or_default() += 1;
    let query = form(head.uri.query().unwrap_or_default().as_bytes());
    Ok(match (&head.method, path.as_str()) {
        (&Method::GET, "/.well-known/openid-configuration") => json_answer(StatusCode::OK, &discovery(&inner.issuer)),
        (&Method::GET, "/jwks") => json_answer(StatusCode::OK, &inner.keys()),
        (&Method::GET, "/authorize") => page("<form method=\"post\"><input name=\"username\"><input name=\"password\"></form>"),
        (&Method::POST, "/authorize") => inner.authorize(&query, &form(&body)),
        (&Method::POST, "/token") => inner.token(&head.headers, &form(&body)),
        (&Method::POST, "/introspect") => inner.introspect(&head.headers, &form(&body)),
        (&Method::GET, "/userinfo") => inner.userinfo(&head.headers),
        _ => json_answer(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
    })
}

fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "password", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
    })
}

impl Inner {
    /// The key of now, and one that is of no use to anybody.
    fn keys(&self) -> Value {
        let current = self.lock().signers.last().map(|signer| signer.public());
        json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "mac"}, current]})
    }

    /// What a person's click on the login page does.
    fn authorize(&self, query: &Form, posted: &Form) -> Answer {
        let get = |name: &str| query.get(name).cloned().unwrap_or_default();
        let is_known = self.knows(posted);
        if !is_known || get("client_id") != CLIENT || get("code_challenge_method") != "S256" || get("response_type") != "code" {
            return refuse("access_denied");
        }
        let code = random();
        let granted = Code {
            sub: posted["username"].clone(),
            redirect_uri: get("redirect_uri"),
            challenge: get("code_challenge"),
            nonce: query.get("nonce").cloned(),
        };
        self.lock().codes.insert(code.clone(), granted);
        let mut back = form_urlencoded::Serializer::new(String::new());
        back.extend_pairs([("code", code.as_str()), ("state", &get("state")), ("iss", &self.issuer)]);
        let place = format!("{}?{}", get("redirect_uri"), back.finish());
        Response::builder().status(StatusCode::FOUND).header(header::LOCATION, place).body(Full::default()).unwrap()
    }

    fn token(&self, headers: &HeaderMap, form: &Form) -> Answer {
        if !is_our_client(headers) {
            return refuse("invalid_client");
        }
        match form.get("grant_type").map(String::as_str) {
            Some("password") if self.knows(form) => self.grant(&form["username"], None, true),
            Some("client_credentials") => self.grant(CLIENT, None, false),
            Some("authorization_code") => {
                // A code is good once.
                let code = form.get("code").and_then(|code| self.lock().codes.remove(code));
                let verifier = form.get("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
                match code {
                    Some(code)
                        if Some(&code.challenge) == verifier.as_ref() && form.get("redirect_uri") == Some(&code.redirect_uri) =>
                    {
                        self.grant(&code.sub, code.nonce, true)
                    }
                    _ => refuse("invalid_grant"),
                }
            }
            _ => refuse("invalid_grant"),
        }
    }

    fn grant(&self, sub: &str, nonce: Option<String>, with_id_token: bool) -> Answer {
        let claims = self.claims_of(sub);
        let access_token = match self.access_tokens {
            AccessTokens::Signed => self.sign(claims.clone()),
            AccessTokens::Opaque => random(),
        };
        let mut answer = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 300});
        if with_id_token {
            // The ID token says who it is; the rest is told to whoever asks with the access token.
            let told = ["iss", "aud", "sub", "iat", "exp"];
            let mut id: Map<_, _> = claims.clone().into_iter().filter(|(name, _)| told.contains(&name.as_str())).collect();
            id.extend(nonce.map(|nonce| ("nonce".to_owned(), json!(nonce))));
            answer["id_token"] = json!(self.sign(id));
        }
        self.lock().tokens.insert(access_token, claims);
        json_answer(StatusCode::OK, &answer)
    }

    fn introspect(&self, headers: &HeaderMap, form: &Form) -> Answer {
        if !is_our_client(headers) {
            return refuse("invalid_client");
        }
        let claims = form.get("token").and_then(|token| self.lock().tokens.get(token).cloned());
        let answer = match claims {
            Some(mut claims) => {
                claims.insert("active".to_owned(), json!(true));
                Value::Object(claims)
            }
            None => json!({"active": false}),
        };
        json_answer(StatusCode::OK, &answer)
    }

    fn userinfo(&self, headers: &HeaderMap) -> Answer {
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match token.and_then(|token| self.lock().tokens.get(token).cloned()) {
            Some(mut claims) => {
                claims.retain(|name, _| !["iss", "aud", "iat", "exp"].contains(&name.as_str()));
                json_answer(StatusCode::OK, &Value::Object(claims))
            }
            None => refuse("invalid_token"),
        }
    }

    fn sign(&self, claims: Map<String, Value>) -> String {
        self.lock().signers.last().unwrap().sign(&Value::Object(claims))
    }

    fn knows(&self, form: &Form) -> bool {
        let (name, password) = (form.get("username"), form.get("password"));
        self.people
            .iter()
            .any(|person| name.is_some_and(|name| name == person.name) && password.is_some_and(|given| given == person.password))
    }
}

/// RFC 6749, 2.3.1: both halves encoded as in a form. Clients that do not encode them are understood, too.
fn is_our_client(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let Some(pair) = value.and_then(|value| String::from_utf8(STANDARD.decode(value).ok()?).ok()) else { return false };
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    [format!("{CLIENT}:{SECRET}"), format!("{}:{}", encoded(CLIENT), encoded(SECRET))].contains(&pair)
}

fn form(bytes: &[u8]) -> Form {
    form_urlencoded::parse(bytes).into_owned().collect()
}

fn random() -> String {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

fn refuse(error: &str) -> Answer {
    json_answer(StatusCode::BAD_REQUEST, &json!({"error": error}))
}

fn page(text: &'static str) -> Answer {
    Response::builder().header(header::CONTENT_TYPE, "text/html").body(Full::from(text)).unwrap()
}

fn json_answer(status: StatusCode, value: &Value) -> Answer {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Full::from(value.to_string())).unwrap()
}
