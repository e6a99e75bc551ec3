// SPDX-License-Identifier: Apache-2.0
//! A user's name and password.

use access::payload::Methods;
use serde::Deserialize;

use crate::{
    Identity,
    error::{Error, Result},
    password::Verdict,
    token::{
        login::{self, Asking, UserRequest},
        proved::Proved,
    },
    user::store as users,
};

#[derive(Debug, Deserialize)]
pub struct Own {
    user: UserRequest,
}

pub async fn prove(room: &Identity, own: Own, _: &Asking, proved: &mut Proved) -> Result<()> {
    let user = own.user;
    let password = user.password.as_ref().ok_or_else(|| login::invalid("identity.password.user.password is missing"))?;
    let reference = user.reference()?;
    let account = room.read(move |tx| users::account(tx, &reference)).await?;
    let kept = account.as_ref().and_then(|account| account.password_hash.as_deref());
    let verdict = room.passwords.verify(&password.0, kept).await?;
    let account = account.filter(|_| verdict != Verdict::Wrong).ok_or(Error::Unauthorized)?;
    if verdict == Verdict::RightAndOutdated
        && let Some(outdated) = account.password_hash.clone()
    {
        let hash = room.passwords.hash(&password.0).await?;
        let id = account.id.clone();
        room.store.write(move |tx| users::refresh_hash(tx, &id, &outdated, &hash)).await?;
    }
    proved.add(account, Methods::PASSWORD)
}
