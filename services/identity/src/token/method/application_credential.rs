// SPDX-License-Identifier: Apache-2.0
//! An application credential and its secret.

use access::payload::{Methods, PayloadScope};
use evidence::password::Verdict;
use serde::Deserialize;

use crate::{
    Identity,
    application_credential::table as credentials,
    error::{Error, Result},
    token::{
        login::{Asking, UserRequest},
        named::invalid,
        proved::{Bound, Proved},
    },
    user::{Password, UserRef, table as users},
};

#[derive(Debug, Deserialize)]
pub struct Own {
    id: Option<String>,
    name: Option<String>,
    user: Option<UserRequest>,
    secret: Password,
}

pub async fn prove(room: &Identity, own: Own, _: &Asking, proved: &mut Proved) -> Result<()> {
    let by_name = match (&own.id, &own.name, &own.user) {
        (Some(_), _, _) => None,
        (None, Some(name), Some(user)) => Some((name.clone(), user.reference()?)),
        _ => return Err(invalid("an application credential is named by id, or by name and user")),
    };
    let id = own.id;
    let found = room
        .read(move |tx| {
            let credential = match (&id, &by_name) {
                (Some(id), _) => {
                    let known = credentials::find(tx, id)?;
                    Some(known.ok_or_else(|| Error::not_found("Application Credential", id.as_str()))?)
                }
                (None, Some((name, user))) => match users::account(tx, user)? {
                    Some(account) => credentials::named(tx, &account.id, name)?,
                    None => None,
                },
                (None, None) => None,
            };
            let Some(credential) = credential else { return Ok(None) };
            let account = users::account(tx, &UserRef::Id(credential.user_id.clone()))?;
            Ok::<_, Error>(account.map(|account| (credential, account)))
        })
        .await?;
    let kept = found.as_ref().map(|(credential, _)| credential.secret_hash.reveal().as_str());
    let verdict = room.passwords.verify(&own.secret.0, kept).await?;
    let (credential, account) = found.filter(|_| verdict != Verdict::Wrong).ok_or(Error::Unauthorized)?;
    let scope = PayloadScope::ApplicationCredential { project: credential.project_id, credential: credential.id };
    proved.bound = Some(Bound::To(scope));
    proved.add(account, Methods::APPLICATION_CREDENTIAL)
}
