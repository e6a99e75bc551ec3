// SPDX-License-Identifier: Apache-2.0
//! Structured logs, one JSON document a line, to standard error.

mod bounded;

use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::config::Log;
use bounded::Bounded;

/// `FERROSTACK_LOG` overrides the filter of the configuration.
pub fn start(log: &Log) {
    let filter = std::env::var("FERROSTACK_LOG").ok().filter(|text| !text.is_empty()).unwrap_or_else(|| log.filter.clone());
    let (filter, trouble) = match EnvFilter::try_new(&filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some((filter, error))),
    };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .with_writer(Arc::new(Bounded::standard_error(log.file_mib << 20, log.files)))
        // They would go to standard error, too, and a write that fails there ends whoever wrote.
        .log_internal_errors(false)
        .init();
    if let Some((filter, error)) = trouble {
        tracing::warn!(filter, %error, "the log filter cannot be read; using `info`");
    }
}
