// SPDX-License-Identifier: Apache-2.0
//! A request that a consumer signed with an access token. What it needs is in the header, not in the body.

use access::payload::{Methods, PayloadScope};
use evidence::signature::oauth1::SignedRequest;
use serde::Deserialize;

use crate::{
    Identity,
    error::{Error, Result},
    oauth1::{access_token, consumer, nonce},
    token::{
        login::Asking,
        proved::{Bound, Proved},
    },
    user::{UserRef, table as users},
};

#[derive(Debug, Deserialize)]
pub struct Own {}

pub async fn prove(room: &Identity, _: Own, asking: &Asking, proved: &mut Proved) -> Result<()> {
    let request = SignedRequest::read(asking.signed())?;
    let (ring, consumer, id) = (room.credential_ring(), request.consumer.clone(), request.token()?.to_owned());
    let found = room
        .read(move |tx| {
            let token = access_token::table::find(tx, &ring, &id)?;
            let token = token.ok_or_else(|| Error::not_found("access token", id.as_str()))?;
            let token = Some(token).filter(|token| token.consumer_id == consumer);
            let Some(token) = token.filter(|token| !token.is_expired()) else { return Ok(None) };
            let Some(secret) = consumer::table::secret(tx, &ring, &consumer)? else { return Ok(None) };
            let account = users::account(tx, &UserRef::Id(token.user_id.clone()))?;
            Ok::<_, Error>(account.map(|account| (token, secret, account)))
        })
        .await?;
    let (token, secret, account) = found.ok_or(Error::Unauthorized)?;
    request.verify(&secret, Some(&token.secret))?;
    room.store.write(move |tx| nonce::accept_once(tx, &request)).await?;
    proved.bound = Some(Bound::To(PayloadScope::OAuth1 { project: token.project_id, access_token: token.id }));
    proved.add(account, Methods::OAUTH1)
}
