// SPDX-License-Identifier: Apache-2.0
//! `mapped`, `openid`, `saml2`: a federated token buys another one. (The first one is had at the identity provider's own
//! address, see `federation::auth`.)

use access::payload::{Methods, PayloadScope};
use serde::Deserialize;
use types::Secret;

use super::token::buy;
use crate::{
    Identity,
    error::{Error, Result},
    token::{login::Asking, proved::Proved},
};

#[derive(Debug, Deserialize)]
pub struct Own {
    id: Option<Secret<String>>,
}

pub async fn prove(room: &Identity, own: Own, _: &Asking, proved: &mut Proved) -> Result<()> {
    let id = own.id.ok_or(Error::Unauthorized)?;
    let parent = room.check_token(id.reveal()).await?;
    let is_federated = matches!(
        parent.payload.scope,
        PayloadScope::FederatedUnscoped(_) | PayloadScope::FederatedProject { .. } | PayloadScope::FederatedDomain { .. }
    );
    if !is_federated {
        return Err(Error::Unauthorized);
    }
    buy(room, parent, Methods::MAPPED, proved).await
}
