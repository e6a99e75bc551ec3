// SPDX-License-Identifier: Apache-2.0
//! Sessions: a token of the identity service in a cookie. There is no table of them: a session is over when its token is.

mod begin;
mod end;
mod form;
mod scope;
mod sso;

use api::{Fault, RequestBody};
use http::{Method, StatusCode, request::Parts};

use crate::{Dashboard, page, reply::Answer};

pub use sso::WEBSSO;

const TOKENS: &str = "/identity/v3/auth/tokens";

pub(crate) async fn answer(dashboard: &Dashboard, path: &str, parts: Parts, body: RequestBody) -> Answer {
    match (&parts.method, path) {
        (&Method::GET, "session") => begin::show(dashboard, &parts).await,
        (&Method::POST, "session") => begin::by_script(dashboard, &parts, body).await,
        (&Method::DELETE, "session") => end::by_script(dashboard, &parts).await,
        (&Method::POST, "session/scope") => scope::switch(dashboard, &parts, body).await,
        (&Method::GET, "session/oidc") => sso::depart(dashboard, &parts),
        (&Method::POST, "session/websso") => sso::arrive(dashboard, &parts, body).await,
        (&Method::GET, "sign-in" | "sign-out") => page::show(dashboard, &parts, None).await,
        (&Method::POST, "sign-in") => form::sign_in(dashboard, &parts, body).await,
        (&Method::POST, "sign-out") => form::sign_out(dashboard, &parts, body).await,
        (method, _) => {
            let message = format!("The method {method} is not allowed here.");
            Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, message))
        }
    }
}
