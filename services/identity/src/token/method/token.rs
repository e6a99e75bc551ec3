// SPDX-License-Identifier: Apache-2.0
//! A token buys another one, which ends with it and is bound as it is.

use std::sync::Arc;

use access::payload::{Methods, Payload, PayloadScope};
use serde::Deserialize;
use types::Secret;

use crate::{
    Identity,
    error::{Error, Result},
    token::{
        ValidToken,
        login::Asking,
        proved::{Bound, Proved},
    },
    user::{UserRef, table as users},
};

#[derive(Debug, Deserialize)]
pub struct Own {
    id: Secret<String>,
}

pub async fn prove(room: &Identity, own: Own, _: &Asking, proved: &mut Proved) -> Result<()> {
    let parent = room.shown_token(own.id.reveal()).await?;
    refuse_delegated(&parent.payload)?;
    buy(room, parent, Methods::TOKEN, proved).await
}

/// The user of a token, bound as the token is.
pub async fn buy(room: &Identity, parent: Arc<ValidToken>, method: Methods, proved: &mut Proved) -> Result<()> {
    let user = UserRef::Id(parent.payload.user.clone());
    let account = room.read(move |tx| users::account(tx, &user)).await?.ok_or(Error::Unauthorized)?;
    proved.add(account, parent.payload.methods.and(method))?;
    proved.bound = Bound::of(&parent.payload.scope);
    proved.parent = Some(parent);
    Ok(())
}

/// Who acts for another must not gather more of the other's rights than he was given.
fn refuse_delegated(payload: &Payload) -> Result<()> {
    let kind = match payload.scope {
        PayloadScope::Trust { .. } => "trust",
        PayloadScope::OAuth1 { .. } => "OAuth",
        _ if payload.methods.contains(Methods::EC2_CREDENTIAL) => "EC2",
        _ => return Ok(()),
    };
    Err(Error::Forbidden(format!(
        "Using a {kind}-scoped token to create another token is not allowed. Create a new one instead."
    )))
}
