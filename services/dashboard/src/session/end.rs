// SPDX-License-Identifier: Apache-2.0
//! How a session ends: its token is revoked, and the browser forgets it, in any case.

use api::{Response, empty};
use http::{Method, StatusCode, header, request::Parts};

use super::{TOKENS, begin::subject};
use crate::{
    Dashboard,
    ask::Question,
    cookie::{self, SESSION},
    elsewhere,
    reply::{Answer, private},
};

pub(super) async fn by_script(dashboard: &Dashboard, parts: &Parts) -> Answer {
    elsewhere::refuse_all_but_our_scripts(parts)?;
    ended(dashboard, parts, private(empty(StatusCode::NO_CONTENT))).await
}

/// Ends the session of this browser and says so by this answer.
pub(super) async fn ended(dashboard: &Dashboard, parts: &Parts, mut answer: Response) -> Answer {
    if let Ok(held) = cookie::held(dashboard, &parts.headers) {
        revoke(dashboard, parts, held.first).await;
    }
    answer.headers_mut().append(header::SET_COOKIE, SESSION.cleared(dashboard)?);
    Ok(answer)
}

/// A token that cannot be revoked ends by itself; whoever leaves is not kept for it.
pub(super) async fn revoke(dashboard: &Dashboard, parts: &Parts, token: &str) {
    let Ok(headers) = subject(token) else { return };
    let mut question = Question::new(parts, Method::DELETE, TOKENS).with_token(token);
    question.headers = headers;
    if let Err(fault) = question.say(dashboard, None).await {
        tracing::warn!(cause = %fault.message, "the token of a session that ended was not revoked");
    }
}
