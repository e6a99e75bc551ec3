// SPDX-License-Identifier: Apache-2.0
//! `[dashboard]`: the menus for the browser, below `/dashboard/` at the API's address.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dashboard {
    pub enabled: bool,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self { enabled: true }
    }
}
