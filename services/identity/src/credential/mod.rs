// SPDX-License-Identifier: Apache-2.0
//! Credentials: EC2 keys, TOTP seeds, certificates and whatever else a user keeps here, sealed in the table.
//!
//! Invariant: no blob lies in the table in the clear (test: `blobs_are_sealed_at_rest_and_survive_a_rotation`).
//! Invariant: nobody reads another user's credentials but administrators (test: `a_user_sees_own_credentials_only`).
//! Invariant: a credential never reaches further than the token that made it (test: `a_delegated_token_stays_within_its_part`).

pub mod api;
pub mod blob;
#[cfg(test)]
mod rotation_tests;
pub mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::{CredentialId, ProjectId, Secret, UserId};

use crate::{
    Identity,
    body::{Extra, Name, present},
    domain_config,
    error::Result,
    oauth1,
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("credential", api::routes).tables(&[crate::Step {
    number: 4,
    name: "credentials",
    sql: include_str!("../../migrations/0004_credentials.sql"),
}]);

pub const EC2: &str = "ec2";
pub const TOTP: &str = "totp";

#[derive(Debug, Clone, Serialize)]
pub struct Credential {
    pub id: CredentialId,
    pub user_id: UserId,
    pub project_id: Option<ProjectId>,
    #[serde(rename = "type")]
    pub kind: String,
    /// Its owner is shown it.
    #[serde(serialize_with = "types::secret::plain")]
    pub blob: Secret<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewCredential {
    pub user_id: UserId,
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    #[serde(rename = "type")]
    pub kind: Name<255>,
    pub blob: Secret<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CredentialUpdate {
    pub user_id: Option<UserId>,
    #[serde(default, deserialize_with = "present")]
    pub project_id: Option<Option<ProjectId>>,
    #[serde(rename = "type")]
    pub kind: Option<Name<255>>,
    pub blob: Option<Secret<String>>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A request that is under way when the keys rotate seals with the key before. This key stays, and the ones before it
/// stay for so long.
const LONGEST_WRITE: Duration = Duration::from_secs(3600);

impl Resource for Credential {
    const ONE: &'static str = "credential";
    const MANY: &'static str = "credentials";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}

impl Credential {
    pub fn is_ec2(&self) -> bool {
        self.kind.eq_ignore_ascii_case(EC2)
    }
}

impl Identity {
    /// The seeds of a user's one-time passwords, in base32 as they were given.
    pub async fn totp_secrets(&self, user: &UserId) -> Result<Vec<Secret<String>>> {
        let (ring, user) = (self.credential_ring(), user.clone());
        self.list(move |tx| table::totp_secrets(tx, &ring, &user)).await
    }

    /// Makes the staged key of credentials primary, and seals all of them anew under it. After a crash anywhere on the
    /// way all can be read, and the next time finishes what was begun.
    pub async fn rotate_credential_keys(&self) -> Result<()> {
        // First what an earlier rotation left: only then is a key that goes below nobody's.
        self.seal_credentials_anew().await?;
        work::crash::point("identity.credential_keys.sealed_before");
        self.credential_keys.rotate(LONGEST_WRITE)?;
        work::crash::point("identity.credential_keys.rotated");
        self.seal_credentials_anew().await?;
        work::crash::point("identity.credential_keys.sealed");
        Ok(())
    }

    /// Seals under the primary key whatever an older one sealed.
    async fn seal_credentials_anew(&self) -> Result<()> {
        let ring = self.credential_ring();
        self.store
            .write(move |tx| {
                table::seal_anew(tx, &ring)?;
                domain_config::table::seal_anew(tx, &ring)?;
                oauth1::seal_anew(tx, &ring)
            })
            .await
    }
}
