// SPDX-License-Identifier: Apache-2.0
//! A user's name and password.

use access::payload::Methods;
use serde::Deserialize;

use crate::{
    Identity,
    error::{Error, Result},
    token::{
        login::{Asking, UserRequest},
        named::invalid,
        proved::Proved,
    },
};

#[derive(Debug, Deserialize)]
pub struct Own {
    user: UserRequest,
}

pub async fn prove(room: &Identity, own: Own, _: &Asking, proved: &mut Proved) -> Result<()> {
    let user = own.user;
    let password = user.password.as_ref().ok_or_else(|| invalid("identity.password.user.password is missing"))?;
    let authenticated = room.authenticate(user.reference()?, &password.0).await?;
    if authenticated.password_has_expired {
        return Err(Error::PasswordExpired(authenticated.account.id.to_string()));
    }
    proved.add(authenticated.account, Methods::PASSWORD)
}
