// SPDX-License-Identifier: Apache-2.0
//! Consumers: the programs that may ask users for a part of their rights.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};

use crate::{
    body::{Extra, present},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct Consumer {
    pub id: String,
    pub description: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Deserialize)]
pub struct NewConsumer {
    #[serde(default)]
    pub description: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ConsumerUpdate {
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Resource for Consumer {
    const ONE: &'static str = "consumer";
    const MANY: &'static str = "OS-OAUTH1/consumers";

    fn id(&self) -> &str {
        &self.id
    }
}
