// SPDX-License-Identifier: Apache-2.0
//! Measures this build against what the same machine can do at best, in the same run, and prints the ratios.
//!
//! A figure alone says more about the machine and its neighbours than about us. So each measure has a floor, the least
//! that anybody would need for the same work, and the two take turns: a slow minute slows both.

mod cloud;
mod floor;
mod http;
mod hub;
mod image;
mod list;
mod load;
mod login;
mod memory;
mod objects;
mod ovn_daemons;
mod ports;
mod process;
mod report;
mod rounds;
mod scale;
mod server;
mod start;
mod token;
mod volume;
mod writes;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use report::Report;

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Measures this build against floors of the same machine, in the same run, and prints ratios",
    after_help = "`server` and `volume` need a cloud on this host: that of FERROSTACK_HOME (see `ferrostack up`), or that which OS_* name.\n\
                  The other measures make what they need and remove it; `memory` uses FERROSTACK_HOME's cloud if it is set."
)]
struct Arguments {
    /// Only these measures (default: all but `ports`, `scale`, `scale-ports`, `server` and `volume`)
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
    /// The binary that is measured (default: the one beside this)
    #[arg(long, env = "FERROSTACK_BINARY", value_name = "PATH")]
    binary: Option<PathBuf>,
    /// How many hosts are simulated
    #[arg(long, default_value_t = 500, value_name = "N")]
    hosts: usize,
    /// One JSON object a line instead of the table
    #[arg(long)]
    json: bool,
    /// What a floor of HTTP runs in a process of its own
    #[arg(long, hide = true, value_name = "BYTES")]
    serve_floor: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// CPU of an event that 200 listeners hear of, over one that nobody hears of, on both engines
    Hub,
    /// Durable writes a second with 64 writers, over one INSERT a transaction
    Writes,
    /// Start of the controller until its first answer
    Start,
    /// Idle memory of controller and agent
    Memory,
    /// Token validations a second, over a server with a fixed answer
    Token,
    /// Tokens for tokens, passwords a second, a storm of logins, and 10,000 revoked tokens
    Login,
    /// Lists of 1,000 servers
    List,
    /// Upload and download of an image, over a copy and a hash of the same file
    Image,
    /// PUT and GET of 4 KiB and 64 MiB, over appends and syncs; a list of 100,000
    Object,
    /// 500 simulated hosts: bursts of creates, and 20,000 servers at rest, on both engines
    Scale,
    /// The same with a port for each server
    ScalePorts,
    /// One network with 20,000 ports beside one with 100, on both engines
    Ports,
    /// Server create until ACTIVE, over the same QEMU started by hand
    Server,
    /// Volumes: create, attach, snapshot, and a writer in the guest, over the same QEMU by hand
    Volume,
}

/// What takes minutes, or a cloud, is taken when it is named.
const WITHOUT_A_CLOUD: &[Measure] = &[
    Measure::Writes,
    Measure::Hub,
    Measure::Start,
    Measure::Memory,
    Measure::Token,
    Measure::Login,
    Measure::List,
    Measure::Image,
    Measure::Object,
];

/// How the measures are to be taken.
struct Plan {
    rounds: usize,
    turn: Duration,
    dir: PathBuf,
    binary: PathBuf,
    hosts: usize,
    /// A running cloud.
    home: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.serve_floor {
        Some(bytes) => runtime().and_then(|runtime| runtime.block_on(floor::serve(bytes))),
        None => take_all(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Takes each measure; one that fails does not keep the others from being taken.
fn take_all(arguments: Arguments) -> anyhow::Result<()> {
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("ferrostack"));
    let plan = Plan {
        rounds: arguments.rounds.max(1),
        turn: Duration::from_secs_f64(arguments.turn.clamp(0.01, 3600.0)),
        binary: arguments.binary.map_or_else(beside, Ok).context("find the binary to measure")?,
        dir: arguments.dir,
        hosts: arguments.hosts,
        home: std::env::var_os("FERROSTACK_HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
    };
    let mut report = if arguments.json { Report::json() } else { Report::table() };
    let measures = if arguments.only.is_empty() { WITHOUT_A_CLOUD } else { &arguments.only };
    let mut failed = 0;
    for measure in measures {
        if let Err(error) = take(*measure, &plan, &mut report) {
            eprintln!("bench: {measure:?}: {error:#}");
            failed += 1;
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} measures could not be taken", measures.len());
    Ok(())
}

fn take(measure: Measure, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        match measure {
            Measure::Hub => hub::measure(plan, report).await,
            Measure::Writes => writes::measure(plan, report).await,
            Measure::Start => start::measure(plan, report).await,
            Measure::Memory => memory::measure(plan, report).await,
            Measure::Token => token::measure(plan, report).await,
            Measure::Login => login::measure(plan, report).await,
            Measure::List => list::measure(plan, report).await,
            Measure::Image => image::measure(plan, report).await,
            Measure::Object => objects::measure(plan, report).await,
            Measure::Ports => ports::measure(plan, report).await,
            Measure::Scale => scale::measure(plan, report).await,
            Measure::ScalePorts => scale::with_ports(plan, report).await,
            Measure::Server => server::measure(plan, report).await,
            Measure::Volume => volume::measure(plan, report).await,
        }
    })
}

/// As many workers as the controller has on a small host, so that ours is measured as it runs.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
