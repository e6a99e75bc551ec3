// SPDX-License-Identifier: Apache-2.0
//! The methods by which a login proves who somebody is, a file each.
//!
//! A method reads what was sent for it, and adds to [`Proved`] whom it has proved.

mod application_credential;
mod mapped;
mod oauth1;
mod password;
mod token;
pub mod totp;

use super::{
    login::{self, Asking, IdentityRequest},
    named::invalid,
    proved::Proved,
};
use crate::{
    Identity,
    error::{Error, Result},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Password,
    Token,
    ApplicationCredential,
    Mapped,
    Totp,
    OAuth1,
}

impl Method {
    const ALL: [(&str, Self); 8] = [
        ("password", Self::Password),
        ("token", Self::Token),
        ("application_credential", Self::ApplicationCredential),
        ("totp", Self::Totp),
        ("oauth1", Self::OAuth1),
        ("mapped", Self::Mapped),
        ("openid", Self::Mapped),
        ("saml2", Self::Mapped),
    ];
}

impl Identity {
    /// Follows every method that the request names, once each however often it is named. Nothing that costs is done
    /// before all of them are known and have what they need.
    pub async fn prove(&self, request: &IdentityRequest, asking: &Asking) -> Result<Proved> {
        let mut methods: Vec<(&str, Method)> = vec![];
        for name in &request.methods {
            let known = Method::ALL.iter().find(|(known, _)| known == name);
            // Keystone too answers 401 here, not 400.
            let (name, method) = *known.ok_or(Error::Unauthorized)?;
            if !request.has(name) {
                return Err(login::missing(name));
            }
            if !methods.iter().any(|(_, earlier)| *earlier == method) {
                methods.push((name, method));
            }
        }
        if methods.is_empty() {
            return Err(invalid("identity.methods names no method"));
        }
        let mut proved = Proved::default();
        for (name, method) in methods {
            match method {
                Method::Password => password::prove(self, request.own(name)?, asking, &mut proved).await?,
                Method::Token => token::prove(self, request.own(name)?, asking, &mut proved).await?,
                Method::OAuth1 => oauth1::prove(self, request.own(name)?, asking, &mut proved).await?,
                Method::Totp => totp::prove(self, request.own(name)?, asking, &mut proved).await?,
                Method::ApplicationCredential => {
                    application_credential::prove(self, request.own(name)?, asking, &mut proved).await?;
                }
                Method::Mapped => mapped::prove(self, request.own(name)?, asking, &mut proved).await?,
            }
        }
        Ok(proved)
    }
}
