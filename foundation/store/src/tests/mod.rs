// SPDX-License-Identifier: Apache-2.0
//! One behaviour suite, run on both engines, and what only one engine can be asked.

#![allow(clippy::unwrap_used, clippy::panic)]

mod behaviour;
mod fixture;
mod pages;
mod postgres_server;
mod streams;

/// Makes a module of tests for each engine: every case is an `async fn(fixture: Fixture)`.
macro_rules! behaviour {
    ($engine:ident: $($suite:ident::{$($case:ident),+ $(,)?}),+ $(,)?) => {
        mod $engine {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let fixture = super::fixture::$engine().await;
                    super::$suite::$case(fixture).await;
                }
            )+)+
        }
    };
}

macro_rules! on_both_engines {
    ($($suite:tt)+) => {
        behaviour!(sqlite: $($suite)+);
        behaviour!(postgres: $($suite)+);
    };
}

on_both_engines!(
    behaviour::{
        what_is_committed_is_seen_and_survives_reopening,
        an_error_leaves_nothing_behind,
    },
);
