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
    /// Anybody reaches the handler, which knows the caller if his token is good, and hears what the thing's owner has said
    /// before it asks this: what is public is so with a bad token, too.
    Open(&'static Policy),
    /// Anybody: version documents, login, health.
    Public,
}

impl Access {
    /// The policy of the route, wherever it is asked.
    pub fn policy(self) -> Option<&'static Policy> {
        match self {
            Self::Policy(policy) | Self::Asks(policy) | Self::Open(policy) => Some(policy),
            Self::Authenticated | Self::Public => None,
        }
    }
}

impl From<&'static Policy> for Access {
    fn from(policy: &'static Policy) -> Self {
        Self::Policy(policy)
    }
}

pub type Handler = Arc<dyn Fn(Cx) -> BoxFuture<'static, Reply> + Send + Sync>;

/// Looks whether what a request names is there; the fault says that it is not.
pub type Look = Arc<dyn Fn(&Cx) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// A handler that waits for its room.
type HandlerIn<R> = Arc<dyn Fn(Arc<R>, Cx) -> BoxFuture<'static, Reply> + Send + Sync>;
type LookIn<R> = Arc<dyn Fn(Arc<R>, &Cx) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

#[derive(Clone)]
pub struct Route<H = Handler, L = Look> {
    pub method: Method,
    /// Below the service's prefix, e.g. `/v2.1/servers/{id}`.
    pub path: &'static str,
    /// The key of the body by which actions on one path are told apart, e.g. `os-start`.
    pub action: Option<&'static str>,
    pub access: Access,
    /// Every policy that is asked on this route, at the door or by the handler. A handler cannot ask another.
    pub asks: Arc<[&'static Policy]>,
    /// From which version on, and up to which, the route is there.
    pub since: Option<Microversion>,
    pub until: Option<Microversion>,
    /// Bytes of body that are read at most; `None` for a handler that streams the body itself.
    pub body_limit: Option<usize>,
    /// What a refusal by the policy waits for: see [`Routes::missing_first`].
    pub look: Option<L>,
    pub handler: H,
}

/// oslo.middleware's default: 112 KiB.
const BODY_LIMIT: usize = 114_688;

/// The routes of a drawer, or of all of them. `R` is the room, which every handler is given; the table can be read
/// before there is one.
pub struct Routes<R> {
    list: Vec<Route<HandlerIn<R>, LookIn<R>>>,
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

impl<R> Default for Routes<R> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<R: Send + Sync + 'static> Routes<R> {
    pub fn new() -> Self {
        Self::default()
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
        self.on(Method::POST, path, access, handler).with_last(|route| route.action = Some(key))
    }

    pub fn on<F, Fut>(mut self, method: Method, path: &'static str, access: impl Into<Access>, handler: F) -> Self
    where
        F: Fn(Arc<R>, Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Reply> + Send + 'static,
    {
        let access = access.into();
        self.list.push(Route {
            method,
            path,
            action: None,
            access,
            asks: access.policy().into_iter().collect(),
            since: None,
            until: None,
            body_limit: Some(BODY_LIMIT),
            look: None,
            handler: Arc::new(move |room, cx| Box::pin(handler(room, cx))),
        });
        self
    }

    /// The handler of the route just written asks these policies, too.
    pub fn asking(self, policies: &[&'static Policy]) -> Self {
        self.with_last(|route| route.ask(policies))
    }

    /// The handlers of all routes so far ask these, too.
    pub fn each_asking(mut self, policies: &[&'static Policy]) -> Self {
        self.list.iter_mut().for_each(|route| route.ask(policies));
        self
    }

    /// The route just written is there from this version on.
    pub fn since(self, version: Microversion) -> Self {
        self.with_last(|route| route.since = Some(version))
    }

    /// The route just written is there up to and including this version.
    pub fn until(self, version: Microversion) -> Self {
        self.with_last(|route| route.until = Some(version))
    }

    /// The handler of the route just written reads its body as a stream.
    pub fn streams_body(self) -> Self {
        self.with_last(|route| route.body_limit = None)
    }

    /// On the route just written, whom the policy refuses learns first whether the thing is there at all: where the original
    /// looks for a thing before it asks who may touch it, a missing one is 404 for everybody, and another's 403.
    pub fn missing_first<F, Fut>(self, look: F) -> Self
    where
        F: Fn(Arc<R>, &Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        self.with_last(|route| route.look = Some(Arc::new(move |room, cx| Box::pin(look(room, cx)))))
    }

    fn with_last(mut self, change: impl FnOnce(&mut Route<HandlerIn<R>, LookIn<R>>)) -> Self {
        if let Some(route) = self.list.last_mut() {
            change(route);
        }
        self
    }

    /// Adds the routes of another drawer.
    pub fn join(mut self, other: Routes<R>) -> Self {
        self.list.extend(other.list);
        self
    }

    /// Every policy that is asked on any of them, each once.
    pub fn policies(&self) -> Vec<&'static Policy> {
        let mut policies: Vec<&'static Policy> = Vec::new();
        for policy in self.list.iter().flat_map(|route| route.asks.iter()) {
            if !policies.contains(policy) {
                policies.push(policy);
            }
        }
        policies
    }

    /// The routes as this room serves them.
    pub fn of(self, room: &Arc<R>) -> Vec<Route> {
        self.list.into_iter().map(|route| route.of(room)).collect()
    }
}

impl<H, L> Route<H, L> {
    fn ask(&mut self, policies: &[&'static Policy]) {
        self.asks = self.asks.iter().chain(policies).copied().collect();
    }
}

impl<R: Send + Sync + 'static> Route<HandlerIn<R>, LookIn<R>> {
    fn of(self, room: &Arc<R>) -> Route {
        let Self { method, path, action, access, asks, since, until, body_limit, look, handler } = self;
        let look = look.map(|look| {
            let room = room.clone();
            Arc::new(move |cx: &Cx| look(room.clone(), cx)) as Look
        });
        let room = room.clone();
        let handler = Arc::new(move |cx| handler(room.clone(), cx));
        Route { method, path, action, access, asks, since, until, body_limit, look, handler }
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
