// SPDX-License-Identifier: Apache-2.0
//! Policies: documents kept for services to fetch, and for which endpoints each is. Nothing in this cloud reads them;
//! its own rules are in `policy.yaml`.

pub mod api;
pub mod association;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::{
    body::{Extra, Name},
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("policy", routes).tables(&[crate::Step {
    number: 13,
    name: "policies",
    sql: include_str!("../../migrations/0013_policies.sql"),
}]);

fn routes() -> ::api::Routes<crate::Identity> {
    api::routes().join(association::api::routes())
}

#[derive(Debug, Clone, Serialize)]
pub struct Document {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub blob: Blob,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewDocument {
    #[serde(rename = "type")]
    pub kind: Name<255>,
    pub blob: Blob,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DocumentUpdate {
    #[serde(rename = "type")]
    pub kind: Option<Name<255>>,
    pub blob: Option<Blob>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What the document says: text, or JSON that is kept as it was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Blob(pub Value);

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            blob @ (Value::String(_) | Value::Object(_)) => Ok(Self(blob)),
            _ => Err(D::Error::custom("a policy's blob is text or an object")),
        }
    }
}

impl Resource for Document {
    const ONE: &'static str = "policy";
    const MANY: &'static str = "policies";

    fn id(&self) -> &str {
        &self.id
    }
}
