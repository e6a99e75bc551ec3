// SPDX-License-Identifier: Apache-2.0
//! A small OpenID Connect provider: real HTTP, real keys, the endpoints that clients and clouds use. Its people and its
//! one client are given when it starts; a login page that asks is answered by posting name and password to it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

mod endpoints;
mod signer;

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::{runtime, sync::oneshot};

pub use signer::Signer;

pub const CLIENT: &str = "cloud";
pub const SECRET: &str = "client & secret";

/// Somebody who can log in.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: &'static str,
    pub password: &'static str,
    /// What is said of them beside `sub`.
    pub claims: Value,
}

/// How access tokens look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTokens {
    Signed,
    Opaque,
}

/// Ends with this handle.
pub struct Provider {
    inner: Arc<Inner>,
    _stop: oneshot::Sender<()>,
}

pub(crate) struct Inner {
    /// What it calls itself, and where it is.
    pub issuer: String,
    pub people: Vec<Person>,
    pub access_tokens: AccessTokens,
    pub state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub signers: Vec<Signer>,
    pub codes: HashMap<String, Code>,
    /// What access tokens stand for.
    pub tokens: HashMap<String, Map<String, Value>>,
    pub asked: HashMap<String, usize>,
}

/// What an authorization code is good for.
pub(crate) struct Code {
    pub sub: String,
    pub redirect_uri: String,
    pub challenge: String,
    pub nonce: Option<String>,
}

impl Provider {
    pub fn start(people: Vec<Person>, access_tokens: AccessTokens) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), people, access_tokens)
    }

    /// On a socket that is bound already, perhaps in another network namespace.
    pub fn on(listener: TcpListener, people: Vec<Person>, access_tokens: AccessTokens) -> Self {
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = State { signers: vec![Signer::generate("key-1")], ..State::default() };
        let inner = Arc::new(Inner { issuer, people, access_tokens, state: Mutex::new(state) });
        let (stop, stopped) = oneshot::channel();
        let serving = inner.clone();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, serving, stopped));
        });
        Self { inner, _stop: stop }
    }

    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// New tokens are signed by a new key; the old one is not shown any more.
    pub fn rotate_keys(&self) {
        let mut state = self.inner.lock();
        let name = format!("key-{}", state.signers.len() + 1);
        state.signers.push(Signer::generate(&name));
    }

    /// A token that says these things, signed by the key of now.
    pub fn sign(&self, claims: &Value) -> String {
        self.inner.lock().signers.last().unwrap().sign(claims)
    }

    /// Good claims of somebody, to be bent by a test.
    pub fn claims_of(&self, name: &str) -> Map<String, Value> {
        self.inner.claims_of(name)
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.inner.lock().asked.get(path).copied().unwrap_or_default()
    }
}

impl Inner {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn claims_of(&self, name: &str) -> Map<String, Value> {
        let now = now();
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(self.issuer)),
            ("aud".to_owned(), json!(CLIENT)),
            ("sub".to_owned(), json!(name)),
            ("iat".to_owned(), json!(now)),
            ("exp".to_owned(), json!(now + 300)),
        ]);
        if let Some(person) = self.people.iter().find(|person| person.name == name) {
            claims.extend(person.claims.as_object().unwrap().clone());
        }
        claims
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn serve(listener: TcpListener, inner: Arc<Inner>, mut stopped: oneshot::Receiver<()>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            _ = &mut stopped => return,
        };
        let inner = inner.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| endpoints::answer(inner.clone(), request));
            // A client that goes away is no failure.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
