// SPDX-License-Identifier: Apache-2.0
//! Structured logs, one JSON document a line, to standard error.

use tracing_subscriber::EnvFilter;

/// `FERROSTACK_LOG` overrides the filter of the configuration.
pub fn start(filter: &str) {
    let filter = std::env::var("FERROSTACK_LOG").ok().filter(|text| !text.is_empty()).unwrap_or_else(|| filter.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|error| {
        eprintln!("ferrostack: the log filter {filter:?} cannot be read ({error}); using `info`");
        EnvFilter::new("info")
    });
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
