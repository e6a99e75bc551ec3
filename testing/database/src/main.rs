// SPDX-License-Identifier: Apache-2.0
//! `with-postgres COMMAND …`: runs a command, such as a test runner, with a PostgreSQL that all its processes share.
#![allow(clippy::unwrap_used)]

use std::{
    env,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENT ...]");
        return ExitCode::FAILURE;
    };
    let server = database::Server::start_without_fsync();
    let status = Command::new(program).args(words).env(database::ENGINE, server.url()).status().unwrap();
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
