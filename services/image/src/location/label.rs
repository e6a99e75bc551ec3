// SPDX-License-Identifier: Apache-2.0
//! What an image keeps of its locations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a tenant said of one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub url: String,
    pub metadata: Map<String, Value>,
    /// The store that was filled from there; none if the data was there already, and only compared.
    pub store: Option<String>,
}

/// Hashes that are shown in place of those that were found out. Who sets a location by a patch says himself what they are, or
/// says nothing, as in Glance. Inside, only the true ones are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub checksum: Option<String>,
    pub algorithm: Option<String>,
    pub value: Option<String>,
}

impl Label {
    pub fn view(&self) -> Value {
        let mut metadata = self.metadata.clone();
        if let Some(store) = &self.store {
            metadata.insert("store".to_owned(), json!(store));
        }
        json!({"url": self.url, "metadata": metadata})
    }

    /// For the events of the image: a query may hold a secret.
    pub fn without_query(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }
}
