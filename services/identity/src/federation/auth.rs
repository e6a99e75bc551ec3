// SPDX-License-Identifier: Apache-2.0
//! `…/protocols/{protocol}/auth`: a token of the identity provider for a token of this cloud. The command line's way.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes};
use evidence::oidc::{Denial, claims};
use http::{StatusCode, header};

use crate::{
    Identity,
    error::Error,
    token::{self, issue::LoggedIn, login::Asking},
};

const AUTH: &str = "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth";

pub fn routes() -> Routes<Identity> {
    Routes::new().get(AUTH, Access::Public, log_in).post(AUTH, Access::Public, log_in)
}

async fn log_in(room: Arc<Identity>, cx: Cx) -> Reply {
    let (provider, protocol) = (cx.param("idp_id"), cx.param("protocol_id"));
    room.check_way(provider, protocol).await?;
    let token = bearer(&cx).ok_or(Error::Unauthorized)?;
    let connection = room.federation.connection(provider, protocol)?;
    let claims = connection.claims_of_bearer(token).await.map_err(fault)?;
    let proved = room.take_word(provider, protocol, claims::assertion(&claims), &cx.actor()).await?;
    match room.log_in_with(proved, None, &Asking::of(&cx)).await? {
        LoggedIn::Issued(issued) => token::api::answer(&room, &cx, StatusCode::CREATED, &issued.token, &issued.valid).await,
        LoggedIn::Halfway(receipt) => receipt.answer(),
    }
}

/// RFC 6750: the scheme is written in any case.
fn bearer(cx: &Cx) -> Option<&str> {
    let value = cx.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What whoever tried is told.
pub fn fault(denial: Denial) -> Fault {
    match denial {
        Denial::Refused(why) => {
            tracing::info!(why, "a federated login was refused");
            Fault::unauthorized()
        }
        Denial::Unreachable { what, source } => {
            tracing::warn!(what, cause = ?source, "an identity provider does not answer as it should");
            Fault::unavailable("The identity provider does not answer now. Try again in a minute.")
        }
    }
}
