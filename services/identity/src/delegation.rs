// SPDX-License-Identifier: Apache-2.0
//! Tokens that stand for a part of what a user may do, in one project: those of application credentials, trusts, OAuth
//! access tokens and EC2 keys.
//!
//! What such a token makes must stay within the same part, or the part grows: a program with a reader's credential
//! would make itself an EC2 key that can do all that its owner can.

use access::payload::{Methods, PayloadScope};
use api::{Cx, Fault};
use types::ProjectId;

use crate::{
    Identity,
    error::Error,
    token::{Through, ValidToken},
};

/// What a token was bought with, if not with the user's own proof of identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    pub project: ProjectId,
    pub by: DelegatedBy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DelegatedBy {
    Trust(String),
    AccessToken(String),
    ApplicationCredential {
        id: String,
        unrestricted: bool,
    },
    /// A key that stands for all that its user may do in a project, shown to a service by somebody who holds it.
    Ec2Key,
}

impl Delegation {
    pub fn of(valid: &ValidToken) -> Option<Self> {
        match &valid.payload.scope {
            PayloadScope::Trust { project, trust } => {
                Some(Self { project: project.clone(), by: DelegatedBy::Trust(trust.clone()) })
            }
            PayloadScope::OAuth1 { project, access_token } => {
                Some(Self { project: project.clone(), by: DelegatedBy::AccessToken(access_token.clone()) })
            }
            PayloadScope::ApplicationCredential { project, credential } => {
                let unrestricted = matches!(&valid.through, Some(Through::ApplicationCredential(facts)) if facts.unrestricted);
                let by = DelegatedBy::ApplicationCredential { id: credential.clone(), unrestricted };
                Some(Self { project: project.clone(), by })
            }
            PayloadScope::Project(project) if valid.payload.methods.contains(Methods::EC2_CREDENTIAL) => {
                Some(Self { project: project.clone(), by: DelegatedBy::Ec2Key })
            }
            _ => None,
        }
    }

    /// Of the token of this request.
    pub async fn of_request(room: &Identity, cx: &Cx) -> Result<Option<Self>, Fault> {
        let own = room.check_token(cx.header("x-auth-token").unwrap_or_default()).await?;
        Ok(Self::of(&own))
    }

    /// An application credential stands for itself: it would outlive a trust or an access token by which it was made.
    pub fn refuse_application_credentials(&self) -> Result<(), Error> {
        match self.by {
            DelegatedBy::Trust(_) | DelegatedBy::AccessToken(_) => {
                Err(Error::Forbidden("Cannot manage application credentials with a token issued via delegation.".into()))
            }
            DelegatedBy::ApplicationCredential { .. } | DelegatedBy::Ec2Key => self.refuse_restricted(),
        }
    }

    /// A leaked credential must not be able to make itself successors.
    pub fn refuse_restricted(&self) -> Result<(), Error> {
        match self.by {
            DelegatedBy::ApplicationCredential { unrestricted: false, .. } => Err(Error::Forbidden(
                "This application credential is restricted: it cannot make or delete further credentials.".into(),
            )),
            DelegatedBy::Ec2Key => {
                Err(Error::Forbidden("A token of an EC2 key cannot make or delete further credentials.".into()))
            }
            _ => Ok(()),
        }
    }

    /// Who acts in another's name by a trust, or with a key, must not shut the other out or make it eternal: with such a
    /// token no password is changed. Without a token, or with a void one, this has nothing to say.
    pub async fn refuse_password_change(room: &Identity, cx: &Cx) -> Result<(), Fault> {
        let own = room.check_token(cx.header("x-auth-token").unwrap_or_default()).await;
        match own.ok().as_deref().and_then(Self::of) {
            Some(Self { by: DelegatedBy::Trust(_) | DelegatedBy::AccessToken(_) | DelegatedBy::Ec2Key, .. }) => {
                Err(Error::Forbidden(
                    "Passwords cannot be changed with the token of a trust, of an OAuth consumer or of an EC2 key.".into(),
                )
                .into())
            }
            _ => Ok(()),
        }
    }
}
