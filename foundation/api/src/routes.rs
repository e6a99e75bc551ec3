// SPDX-License-Identifier: Apache-2.0
//! The route table.

use std::{future::Future, sync::Arc};

use access::Policy;
use contracts::BoxFuture;
use http::Method;
use types::Microversion;

use crate::{Cx, Fault, FaultStyle, Microversions, Reply};

/// Who may use a route.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Whom this policy admits. It is asked before the body is read.
    Policy(&'static Policy),
    /// Anybody with a valid token reaches the handler, which asks this about the thing itself.
    Asks(&'static Policy),
    /// Anybody with a valid token.
    Authenticated,
    /// Anybody: version documents, login, health.
    Public,
}

impl From<&'static Policy> for Access {
    fn from(policy: &'static Policy) -> Self {
        Self::Policy(policy)
    }
}

pub type Handler = Arc<dyn Fn(Cx) -> BoxFuture<'static, Reply> + Send + Sync>;

/// Looks whether what a request names is there; the fault says that it is not.
pub type Look = Arc<dyn Fn(&Cx) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// Below the service's prefix, e.g. `/v2.1/servers/{id}`.
    pub path: &'static str,
    /// The key of the body by which actions on one path are told apart, e.g. `os-start`.
    pub action: Option<&'static str>,
    pub access: Access,
    /// From which version on, and up to which, the route is there.
    pub since: Option<Microversion>,
    pub until: Option<Microversion>,
    /// Bytes of body that are read at most; `None` for a handler that streams the body itself.
    pub body_limit: Option<usize>,
    /// What a refusal by the policy waits for: see [`Routes::missing_first`].
    pub look: Option<Look>,
    pub handler: Handler,
}

/// oslo.middleware's default: 112 KiB.
const BODY_LIMIT: usize = 114_688;

/// Collects routes for one room. `R` is the room, handed to every handler.
pub struct Routes<R> {
    room: Arc<R>,
    list: Vec<Route>,
}

macro_rules! verb {
    ($name:ident, $method:ident) => {
        pub fn $name<F, Fut>(self, path: &'static str, access: impl Into<Access>, handler: F) -> Self
        where
            F: Fn(Arc<R>, Cx) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Reply> + Send + 'static,
        {
            self.on(Method::$method, path, access, handler)
        }
    };
}

impl<R: Send + Sync + 'static> Routes<R> {
    pub fn new(room: Arc<R>) -> Self {
        Self { room, list: Vec::new() }
    }

    verb!(get, GET);
    verb!(head, HEAD);
    verb!(post, POST);
    verb!(put, PUT);
    verb!(patch, PATCH);
    verb!(delete, DELETE);

    /// `POST path` with a body of one key: Nova's and Cinder's actions.
    pub fn action<F, Fut>(self, path: &'static str, key: &'static str, access: impl Into<Access>, handler: F) -> Self
    where
        F: Fn(Arc<R>, Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Reply> + Send + 'static,
    {
        let mut routes = self.on(Method::POST, path, access, handler);
        if let Some(route) = routes.list.last_mut() {
            route.action = Some(key);
        }
        routes
    }

    pub fn on<F, Fut>(mut self, method: Method, path: &'static str, access: impl Into<Access>, handler: F) -> Self
    where
        F: Fn(Arc<R>, Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Reply> + Send + 'static,
    {
        let room = self.room.clone();
        self.list.push(Route {
            method,
            path,
            action: None,
            access: access.into(),
            since: None,
            until: None,
            body_limit: Some(BODY_LIMIT),
            look: None,
            handler: Arc::new(move |cx| Box::pin(handler(room.clone(), cx))),
        });
        self
    }

    /// The route just written is there from this version on.
    pub fn since(mut self, version: Microversion) -> Self {
        if let Some(route) = self.list.last_mut() {
            route.since = Some(version);
        }
        self
    }

    /// The route just written is there up to and including this version.
    pub fn until(mut self, version: Microversion) -> Self {
        if let Some(route) = self.list.last_mut() {
            route.until = Some(version);
        }
        self
    }

    /// The handler of the route just written reads its body as a stream.
    pub fn streams_body(mut self) -> Self {
        if let Some(route) = self.list.last_mut() {
            route.body_limit = None;
        }
        self
    }

    /// On the route just written, whom the policy refuses learns first whether the thing is there at all: where the original
    /// looks for a thing before it asks who may touch it, a missing one is 404 for everybody, and another's 403.
    pub fn missing_first<F, Fut>(mut self, look: F) -> Self
    where
        F: Fn(Arc<R>, &Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let room = self.room.clone();
        if let Some(route) = self.list.last_mut() {
            route.look = Some(Arc::new(move |cx| Box::pin(look(room.clone(), cx))));
        }
        self
    }

    /// Adds the routes of another drawer.
    pub fn join(mut self, other: Routes<R>) -> Self {
        self.list.extend(other.list);
        self
    }

    pub fn into_list(self) -> Vec<Route> {
        self.list
    }
}

/// One service as the door sees it.
#[derive(Clone)]
pub struct Service {
    pub name: &'static str,
    /// `/compute`
    pub prefix: &'static str,
    pub faults: FaultStyle,
    pub versions: Option<Microversions>,
    pub routes: Vec<Route>,
}
