// SPDX-License-Identifier: Apache-2.0
//! `ferrostack policy`: who may do what, as the enforcer of this cloud says it, with the operator's `policy.yaml`.

mod list;
mod matrix;
mod persona;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Write};

use access::Enforcer;
use clap::{Args, Subcommand};

use crate::{config::Config, controller, home::Home};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print every policy with the rule in force and the tokens it is for, in the form of a policy.yaml
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every route with who may use it, on a thing of his own and on another tenant's
    #[command(after_help = matrix::LEGEND)]
    Matrix {
        /// Only routes of this service: identity, image, placement, network, compute, operator
        #[arg(long, value_name = "SERVICE")]
        service: Option<String>,
        /// Only routes with this in their path or policy
        #[arg(long, value_name = "TEXT")]
        containing: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    let enforcer = enforcer(home)?;
    match &arguments.verb {
        Verb::List { json } => say(&list::list(&enforcer, *json)?),
        Verb::Matrix { service, containing, json } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            let matrix = runtime.block_on(controller::with_empty_cloud(|door| matrix::Matrix::of(door, &enforcer)))?;
            let matrix = matrix.only(service.as_deref(), containing.as_deref());
            say(&if *json { serde_json::to_string_pretty(&matrix)? + "\n" } else { matrix.to_string() })
        }
    }
}

/// With the operator's own rules, where there is a cloud on this host; else with the defaults.
fn enforcer(home: &Home) -> anyhow::Result<Enforcer> {
    let config = if home.configuration.exists() { Config::read(&home.configuration)? } else { Config::default() };
    controller::enforcer(&config)
}

/// To a reader who may have seen enough: `| head` is no error.
fn say(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
