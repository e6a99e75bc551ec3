// SPDX-License-Identifier: Apache-2.0
//! The context of one request: all that a handler knows of it.

use std::sync::Arc;

use access::{Allowed, Asker, Enforcer, Policy, Scope, Target};
use bytes::{Bytes, BytesMut};
use contracts::caller::Caller;
use futures_util::{Stream, TryStreamExt};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use store::Actor;
use types::{Microversion, ProjectId};

use crate::{Fault, Query, RequestBody, Upgrade};

pub struct Cx {
    pub method: Method,
    pub headers: HeaderMap,
    /// `req-…`, in the answer's headers, the log and every event of this request.
    pub request_id: String,
    /// The version in which the client wants to speak; the lowest of the service when it did not say.
    pub version: Microversion,
    pub(crate) base_url: String,
    pub(crate) prefix: &'static str,
    pub(crate) path: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) query: Query,
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) allowed: Option<Allowed<Scope>>,
    pub(crate) enforcer: Arc<Enforcer>,
    /// The policies that the route names.
    pub(crate) asks: Arc<[&'static Policy]>,
    pub(crate) upgrade: Option<Upgrade>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) read_body: Option<Bytes>,
    pub(crate) body_limit: usize,
}

impl Cx {
    /// A part of the path. The table and the handler stand side by side, so a wrong name is found by the first test.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The path as it was written, from its root and with its escapes.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Who asks, if he is known.
    pub fn known_caller(&self) -> Option<&Arc<Caller>> {
        self.caller.as_ref()
    }

    /// Who asks. On a public route there is nobody.
    pub fn caller(&self) -> Result<&Arc<Caller>, Fault> {
        self.caller.as_ref().ok_or_else(Fault::unauthorized)
    }

    /// The project of the token; a token without one cannot own anything.
    pub fn project(&self) -> Result<&ProjectId, Fault> {
        self.caller()?.project_id().ok_or_else(|| {
            Fault::bad_request("This needs a token that is scoped to a project. Ask for one with a project in its scope.")
        })
    }

    /// The token that the caller brought, for who must know later whether it is still good.
    pub fn token(&self) -> &str {
        crate::token::token_in(&self.headers, true)
    }

    /// The proof that the route's policy admits the caller, and how far it lets him see.
    pub fn allowed(&self) -> Result<&Allowed<Scope>, Fault> {
        self.allowed.as_ref().ok_or_else(|| Fault::internal("a handler asked for a proof on a route without a policy"))
    }

    /// Asks a further policy for its scope.
    pub fn scope(&self, policy: &'static Policy) -> Result<Allowed<Scope>, Fault> {
        self.is_named(policy)?;
        Ok(self.enforcer.scope(policy, self.caller()?)?)
    }

    /// Asks a further policy about one thing, which `target` describes. The yes is bound to it.
    pub fn allow<T>(&self, policy: &'static Policy, target: &Target, thing: T) -> Result<Allowed<T>, Fault> {
        self.is_named(policy)?;
        Ok(self.enforcer.allow(policy, self.caller()?, target, thing)?)
    }

    /// The same for a question after which nothing is changed.
    pub fn check(&self, policy: &'static Policy, target: &Target) -> Result<(), Fault> {
        self.is_named(policy)?;
        Ok(self.enforcer.check(policy, self.caller()?, target)?)
    }

    /// Whether a further policy would admit the caller.
    pub fn may(&self, policy: &'static Policy, target: &Target) -> bool {
        self.caller
            .as_ref()
            .is_some_and(|caller| self.is_named(policy).is_ok() && self.enforcer.check(policy, caller, target).is_ok())
    }

    /// Only what the route names is asked on it: else neither a reader of the table nor the list of policies that is made
    /// from it would know of the question. A test of such a handler fails; in a running cloud nobody is admitted by it.
    fn is_named(&self, policy: &'static Policy) -> Result<(), Fault> {
        if self.asks.contains(&policy) {
            return Ok(());
        }
        let (method, path, name) = (&self.method, &self.path, policy.name);
        debug_assert!(false, "{method} {path} asks {name}, which its route does not name: add `.asking(&[…])` to it");
        tracing::error!(%method, path, policy = name, "a handler asks a policy that its route does not name; it is refused");
        Err(Fault::forbidden(format!("Policy doesn't allow {name} to be performed.")))
    }

    /// The rules in force, for what is not a question about this caller.
    pub fn enforcer(&self) -> &Arc<Enforcer> {
        &self.enforcer
    }

    /// The caller and the policies by which this request is judged, for what asks on his behalf.
    pub fn asker(&self) -> Result<Asker, Fault> {
        Ok(Asker::new(self.caller()?.clone(), self.enforcer.clone()))
    }

    /// Whom the events of this request name.
    pub fn actor(&self) -> Actor {
        let caller = self.caller.as_ref();
        Actor {
            request_id: self.request_id.clone(),
            user_id: caller.map(|caller| caller.user.id.to_string()),
            project_id: caller.and_then(|caller| caller.project_id()).map(ToString::to_string),
            name: caller.map_or_else(|| "nobody".to_owned(), |caller| caller.user.name.clone()),
        }
    }

    /// The connection, for what answers 101 and goes on in another protocol. None if the request does not ask for one.
    pub fn upgrade(&mut self) -> Option<Upgrade> {
        self.upgrade.take()
    }

    /// `http://host:port`, as the client wrote it.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A link into this service; `path` is below its prefix.
    pub fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.base_url, self.prefix)
    }

    /// The link to this very resource, without its query.
    pub fn own_url(&self) -> String {
        format!("{}{}", self.base_url, self.path)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a body comes whose length nobody announced, as it can over HTTP/2 without a header that says so.
    pub fn is_streamed(&self) -> bool {
        use hyper::body::Body as _;
        self.body.as_ref().is_some_and(|body| !body.is_end_stream())
    }

    /// The whole body, up to the route's limit. May be called again.
    pub async fn bytes(&mut self) -> Result<Bytes, Fault> {
        if let Some(bytes) = &self.read_body {
            return Ok(bytes.clone());
        }
        let mut body = self.body.take().ok_or_else(|| Fault::internal("the body was read twice"))?;
        let mut buffer = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault::broken_body(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            if buffer.len() + data.len() > self.body_limit {
                let message = format!("Request is too large. The body of this request may hold {} bytes.", self.body_limit);
                return Err(Fault::too_large(message));
            }
            buffer.extend_from_slice(&data);
        }
        let bytes = buffer.freeze();
        self.read_body = Some(bytes.clone());
        Ok(bytes)
    }

    /// The body as a stream of chunks, for uploads.
    pub fn stream(&mut self) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin + use<>, Fault> {
        let body = self.body.take().ok_or_else(|| Fault::internal("the body was read twice"))?;
        Ok(body.into_data_stream().into_stream())
    }

    /// The body as a typed JSON object. A 400 says what is wrong and where.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let bytes = self.bytes().await?;
        // A derived reader would also take an array, field by field in their order.
        if matches!(bytes.trim_ascii_start().first(), Some(first) if !matches!(first, b'{'))
            && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok()
        {
            return Err(Fault::bad_request("Invalid input: the request body is a JSON object, {…}."));
        }
        self.json_of_any_kind().await
    }

    /// The body as typed JSON that need not be an object: Glance's patches are arrays.
    pub async fn json_of_any_kind<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return Err(Fault::bad_request("The request has no body; a JSON document is expected."));
        }
        if escapes_nul(&bytes) {
            return Err(Fault::bad_request("Text in a request cannot hold the NUL character."));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let at = error.path().to_string();
            let cause = error.into_inner();
            match cause.classify() {
                serde_json::error::Category::Data if at != "." => {
                    Fault::bad_request(format!("Invalid input for field/attribute {at}: {cause}"))
                }
                serde_json::error::Category::Data => Fault::bad_request(format!("Invalid input: {cause}")),
                _ => Fault::bad_request(format!("The request body is not valid JSON: {cause}")),
            }
        })?;
        reader.end().map_err(|cause| Fault::bad_request(format!("The request body is not valid JSON: {cause}")))?;
        Ok(value)
    }

    /// The document under the one key in which OpenStack wraps it, as in `{"server": {…}}`.
    pub async fn document<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, Fault> {
        let mut outer: serde_json::Map<String, serde_json::Value> = self.json().await?;
        let inner = outer
            .remove(key)
            .ok_or_else(|| Fault::bad_request(format!("Invalid input: the body lacks its top-level key '{key}'.")))?;
        serde_path_to_error::deserialize(inner).map_err(|error| {
            let at = error.path().to_string();
            let cause = error.into_inner();
            if at == "." {
                Fault::bad_request(format!("Invalid input for field/attribute {key}: {cause}"))
            } else {
                Fault::bad_request(format!("Invalid input for field/attribute {key}.{at}: {cause}"))
            }
        })
    }
}

/// Whether a JSON text has `\u0000` in it, the one character that no database keeps. Bare it is not JSON at all.
fn escapes_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at + 1..];
        if rest.starts_with(b"u0000") {
            return true;
        }
        // Whatever the backslash escapes, another backslash too, escapes nothing itself.
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}
