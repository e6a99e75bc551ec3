// SPDX-License-Identifier: Apache-2.0
//! Measures this build against what the same machine can do at best, in the same run, and prints the ratios.
//!
//! A figure alone says more about the machine and its neighbours than about us. So each measure has a floor, the least
//! that anybody would need for the same work, and the two take turns: a slow minute slows both.

mod report;
mod rounds;
mod writes;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use report::Report;

#[derive(Parser)]
#[command(name = "bench", about = "Measures this build against floors of the same machine and prints ratios")]
struct Arguments {
    /// Only these measures (default: all that need no running cloud)
    #[arg(long, value_delimiter = ',', value_name = "MEASURE")]
    only: Vec<Measure>,
    /// How often floor and ours take turns
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// How long one turn of a rate takes
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    turn: f64,
    /// Where databases and files are put; not a folder in memory, for that has no fsync
    #[arg(long, default_value = "/var/tmp", value_name = "DIR")]
    dir: PathBuf,
    /// One JSON object a line instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Durable writes a second with 64 writers, over one INSERT a transaction
    Writes,
}

const WITHOUT_A_CLOUD: &[Measure] = &[Measure::Writes];

/// How the measures are to be taken.
struct Plan {
    rounds: usize,
    turn: Duration,
    dir: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let measures = if arguments.only.is_empty() { WITHOUT_A_CLOUD } else { &arguments.only };
    let plan = Plan {
        rounds: arguments.rounds.max(1),
        turn: Duration::from_secs_f64(arguments.turn.clamp(0.01, 3600.0)),
        dir: arguments.dir,
    };
    let mut report = if arguments.json { Report::json() } else { Report::table() };
    let mut outcome = ExitCode::SUCCESS;
    for measure in measures {
        if let Err(error) = take(*measure, &plan, &mut report) {
            eprintln!("bench: {measure:?}: {error:#}");
            outcome = ExitCode::FAILURE;
        }
    }
    outcome
}

fn take(measure: Measure, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    // As many workers as the controller has, so that ours is measured as it runs.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match measure {
        Measure::Writes => runtime.block_on(writes::measure(plan, report)),
    }
}
