// SPDX-License-Identifier: Apache-2.0
//! What an EC2 credential's blob says: a pair of keys, and the delegation within which it is good.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use types::{CredentialId, Secret};

use super::Credential;
use crate::{
    delegation::{DelegatedBy, Delegation},
    error::{Error, Result},
};

/// The keys under which a blob names the delegation that it is confined to. Only we write them.
const BINDINGS: [&str; 3] = ["trust_id", "app_cred_id", "access_token_id"];

/// An EC2 blob, read.
#[derive(Debug, Clone)]
pub struct Ec2Blob(Map<String, Value>);

impl Ec2Blob {
    pub fn parse(blob: &Secret<String>) -> Result<Self> {
        let invalid = || Error::Invalid("Invalid blob in credential".into());
        let fields: Map<String, Value> = serde_json::from_str(blob.reveal()).map_err(|_| invalid())?;
        let has_access = fields.get("access").and_then(Value::as_str).is_some_and(|access| !access.is_empty());
        if !has_access {
            return Err(Error::Invalid("The blob of an EC2 credential is a JSON object with an 'access' key.".into()));
        }
        Ok(Self(fields))
    }

    /// A new pair of keys, good for what `delegation` is good for.
    pub fn generate(delegation: Option<&Delegation>) -> Self {
        let word = || uuid::Uuid::new_v4().simple().to_string();
        let mut blob = Self(Map::from_iter([
            ("access".to_owned(), json!(word())),
            ("secret".to_owned(), json!(word())),
            ("trust_id".to_owned(), Value::Null),
        ]));
        blob.bind(delegation);
        blob
    }

    /// Confines the credential to the delegation of the token that makes it.
    pub fn bind(&mut self, delegation: Option<&Delegation>) {
        match delegation.map(|delegation| &delegation.by) {
            Some(DelegatedBy::Trust(id)) => self.0.insert("trust_id".into(), json!(id)),
            Some(DelegatedBy::AccessToken(id)) => self.0.insert("access_token_id".into(), json!(id)),
            Some(DelegatedBy::ApplicationCredential { id, .. }) => self.0.insert("app_cred_id".into(), json!(id)),
            // Its tokens make no keys.
            Some(DelegatedBy::Ec2Key) | None => None,
        };
    }

    /// Whether it is confined to this delegation, and to no other.
    fn is_bound_to(&self, by: &DelegatedBy) -> bool {
        let bound = BINDINGS.map(|key| self.text(key));
        bound
            == match by {
                DelegatedBy::Trust(id) => [Some(id.as_str()), None, None],
                DelegatedBy::ApplicationCredential { id, .. } => [None, Some(id.as_str()), None],
                DelegatedBy::AccessToken(id) => [None, None, Some(id.as_str())],
                DelegatedBy::Ec2Key => return false,
            }
    }

    /// Refuses a blob that says of itself what only we say: that it stands for somebody's trust or credential.
    pub fn refuse_forged_bindings(&self, kept: Option<&Self>) -> Result<()> {
        for key in BINDINGS {
            if self.text(key) != kept.and_then(|kept| kept.text(key)) || !self.is_text_or_nothing(key) {
                return Err(Error::Invalid(format!("{key} can not be updated for credential")));
            }
        }
        Ok(())
    }

    /// Whether it is confined to a delegation.
    pub fn is_bound(&self) -> bool {
        BINDINGS.iter().any(|key| self.text(key).is_some())
    }

    pub fn access(&self) -> &str {
        self.text("access").unwrap_or_default()
    }

    pub fn secret(&self) -> Option<Secret<String>> {
        self.text("secret").map(|secret| Secret::new(secret.to_owned()))
    }

    pub fn trust_id(&self) -> Option<&str> {
        self.text("trust_id")
    }

    pub fn application_credential_id(&self) -> Option<&str> {
        self.text("app_cred_id")
    }

    pub fn access_token_id(&self) -> Option<&str> {
        self.text("access_token_id")
    }

    pub fn to_secret(&self) -> Secret<String> {
        Secret::new(Value::Object(self.0.clone()).to_string())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn is_text_or_nothing(&self, key: &str) -> bool {
        self.0.get(key).is_none_or(|value| value.is_string() || value.is_null())
    }
}

/// Whether a token of this delegation reaches the credential: it is a key that was made with the delegation, and so is
/// good for no more than the token. All else is the user's own.
pub fn is_within(delegation: &Delegation, credential: &Credential) -> bool {
    credential.is_ec2()
        && credential.project_id.as_ref() == Some(&delegation.project)
        && Ec2Blob::parse(&credential.blob).is_ok_and(|blob| blob.is_bound_to(&delegation.by))
}

/// A credential without what it proves something with, for those who may know that it is there.
pub fn without_secret(credential: Credential) -> Credential {
    let told = match Ec2Blob::parse(&credential.blob) {
        Ok(Ec2Blob(mut fields)) if credential.is_ec2() => {
            fields.retain(|key, _| key == "access" || BINDINGS.contains(&key.as_str()));
            Value::Object(fields).to_string()
        }
        _ => String::new(),
    };
    Credential { blob: Secret::new(told), ..credential }
}

/// The id of the credential with this access key.
pub fn id_of_access_key(access: &str) -> CredentialId {
    CredentialId::new(hex::encode(Sha256::digest(access.as_bytes())))
}
