// SPDX-License-Identifier: Apache-2.0
//! Ferrostack: an OpenStack-compatible cloud in one binary. This is its front door: the verbs of the command line.
// What is printed to somebody who stopped reading would end a verb in the middle of its work: see `say`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod accounts;
mod allocator;
mod build;
mod client;
mod clouds_yaml;
mod config;
mod controller;
mod daemons;
mod down;
mod env;
mod federation;
mod home;
mod image;
mod installation;
mod logging;
mod operate;
mod operator;
mod pipe;
mod policy;
mod process;
mod role;
mod say;
mod secrets;
mod set_aside;
mod status;
mod strays;
mod systemd;
#[cfg(test)]
mod tests;
mod up;
mod users;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use home::Home;

#[derive(Parser)]
#[command(
    name = "ferrostack",
    version = build::version(),
    about = "An OpenStack-compatible cloud in one binary",
    after_help = "State lies in /var/lib/ferrostack and configuration in /etc/ferrostack/ferrostack.toml.\n\
                  FERROSTACK_HOME=dir moves both, so that several clouds run side by side. `--version` tells builds apart."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start the cloud on this host, with a first network, machine and tenant; run again, it finds things as they are
    #[command(
        after_help = "After a new build it replaces the controller and the agent by its own; machines run on. The first network,\n\
                            machine and tenant are made once, and are their owner's from then on. Where systemd runs, units are\n\
                            installed that bring the cloud back after a reboot; elsewhere, run this again after it."
    )]
    Up(up::Arguments),
    /// Stop the cloud and keep its data; machines run on unless --machines is given. It stays down until the next `up`
    Down(down::DownArguments),
    /// Stop everything, machines too, and delete all data of this cloud
    Destroy(down::DestroyArguments),
    /// Print the OS_* exports for a shell: eval "$(ferrostack env)"
    Env(env::Arguments),
    /// Tell what runs, which hosts are there, and what is wrong
    Status(status::Arguments),
    /// Compare what is with what should be: processes, taps, OVN rows, allocations, disks
    Audit,
    /// List what is there and nobody knows of: it is kept until you say that it shall go
    Strays(strays::Arguments),
    /// Say that the database is lost for good: what it left is moved aside, so that the next start begins anew
    SetAside(set_aside::Arguments),
    /// Print what changed in the cloud: who, when, from what to what
    Events(operate::EventsArguments),
    /// Let another host join: prints the token for `ferrostack node --join`
    JoinToken,
    /// Ways back in, without a password: make what must be there, rotate keys, set a password
    Identity(accounts::Arguments),
    /// Load well-known cloud images from their makers
    Image(image::Arguments),
    /// Show every route with the policy that guards it
    Routes,
    /// Show who may do what: the policies in force, and the matrix of routes and roles
    Policy(policy::Arguments),
    /// Run the controller in the foreground (`up` does this in the background)
    Controller(Foreground),
    /// Run the agent of this host in the foreground (`up` does this in the background)
    Node(role::NodeArguments),
    /// Give the host its place in the cloud's networks again after a reboot (`up` does this, and systemd's units do)
    #[command(hide = true)]
    Host(Foreground),
}

impl Verb {
    fn only_tells(&self) -> bool {
        match self {
            Self::Env(_) | Self::Status(_) | Self::Audit | Self::Events(_) | Self::Routes | Self::Policy(_) => true,
            Self::Image(arguments) => arguments.only_tells(),
            Self::Strays(arguments) => arguments.only_tells(),
            _ => false,
        }
    }
}

#[derive(Args)]
pub struct Foreground {
    /// The state directory; as FERROSTACK_HOME
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
}

fn main() -> ExitCode {
    allocator::give_large_blocks_back();
    // One provider of cryptography for all TLS in the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let verb = Arguments::parse().verb;
    if verb.only_tells() {
        pipe::end_with_the_reader();
    }
    let outcome = match verb {
        Verb::Up(arguments) => up::run(&Home::find(), &arguments),
        Verb::Down(arguments) => down::down(&Home::find(), &arguments),
        Verb::Destroy(arguments) => down::destroy(&Home::find(), &arguments),
        Verb::Env(arguments) => env::run(&Home::find(), &arguments),
        Verb::Status(arguments) => status::run(&Home::find(), &arguments),
        Verb::Audit => operate::audit(&Home::find()),
        Verb::Strays(arguments) => strays::run(&Home::find(), &arguments),
        Verb::SetAside(arguments) => set_aside::run(&Home::find(), &arguments),
        Verb::Events(arguments) => operate::events(&Home::find(), &arguments),
        Verb::JoinToken => operate::join_token(&Home::find()),
        Verb::Identity(arguments) => accounts::run(&Home::find(), &arguments),
        Verb::Image(arguments) => image::run(&Home::find(), &arguments),
        Verb::Routes => operate::routes(),
        Verb::Policy(arguments) => policy::run(&Home::find(), &arguments),
        Verb::Controller(foreground) => role::controller(foreground),
        Verb::Node(arguments) => role::node(arguments),
        Verb::Host(foreground) => role::host(foreground),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::complain!("ferrostack: {error:#}");
            ExitCode::FAILURE
        }
    }
}
