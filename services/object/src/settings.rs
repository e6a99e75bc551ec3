// SPDX-License-Identifier: Apache-2.0
//! What the operator decides.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of this controller among several: what it had on its way in when it died is its own next start's to give up.
    pub keeper: String,
    /// For how long data stays that nothing holds any more, for those who were about to read it.
    pub grace: Duration,
    /// For how long an upload in parts waits for the next one.
    pub patience: Duration,
    /// Sites whose plug-ins may read: `crossdomain.xml`.
    pub cross_domain: Vec<String>,
    /// Whether pages among the objects are shut off from what else is at this address: the dashboard, above all.
    pub sandbox: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keeper: "controller".into(),
            grace: Duration::from_secs(10),
            patience: Duration::from_secs(7 * 24 * 3600),
            cross_domain: Vec::new(),
            sandbox: true,
        }
    }
}
