// SPDX-License-Identifier: Apache-2.0
//! One behaviour suite, run on both engines, and what only one engine can be asked.

#![allow(clippy::unwrap_used, clippy::panic)]

mod behaviour;
mod concurrency;
mod controllers;
mod files;
mod fixture;
mod groups;
mod hub;
mod hub_of_several;
mod identity;
mod kill;
mod lead;
mod migrations;
mod pages;
mod silence;
mod streams;
mod tls;
mod values;

/// Makes a module of tests for an engine: every case is an `async fn(fixture: Fixture)`.
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
        a_stale_generation_is_a_conflict,
        broken_rules_have_types,
        reads_cannot_write,
        after_a_failed_statement_nothing_more_is_done,
        a_panic_is_an_error_and_the_store_goes_on,
        statements_are_counted,
        a_current_thread_runtime_works_too,
    },
    concurrency::{
        a_failing_writer_takes_nobody_along,
        a_deferred_constraint_fails_only_its_own_writer,
        sixty_four_writers_are_all_there,
        no_update_is_lost,
        a_list_sees_one_state,
    },
    values::{
        values_come_back_as_they_went_in,
        placeholders_bind_by_number,
        sums_are_integers,
        text_is_compared_byte_by_byte,
        text_with_nul_is_refused,
        a_column_of_another_kind_is_an_error,
    },
    identity::{
        a_database_has_one_id_for_life,
        a_copy_that_is_older_than_what_was_seen_says_so_once,
        a_table_or_column_that_is_missing_is_told_at_the_start,
    },
    migrations::{
        migrations_run_once,
        a_changed_migration_is_refused,
        newer_tables_are_refused,
        a_newer_store_is_refused_when_opened,
        a_failing_migration_leaves_nothing_behind,
    },
    streams::{
        an_event_shares_the_fate_of_its_change,
        watchers_wake_after_the_commit_and_not_before,
        watchers_hear_only_their_types,
        secrets_never_reach_the_stream,
        events_are_filtered,
        followers_miss_nothing_under_concurrent_writers,
        pruning_keeps_the_newest_and_reuses_no_id,
    },
    hub::{
        a_wake_says_of_what,
        who_is_told_of_too_much_looks_at_all,
        who_heeds_has_heard_before_the_commit_is_acknowledged,
        a_slow_listener_reads_on_from_the_table,
        a_listener_hears_of_his_project_only,
        who_reads_on_from_before_the_cut_hears_of_the_gap,
        two_hundred_listeners_read_the_table_once,
    },
    pages::{
        pages_are_complete_under_concurrent_inserts,
        pages_agree_with_the_whole_list_in_every_order,
        a_page_is_one_statement,
        a_marker_of_another_project_is_unknown,
        filters_take_any_text,
        a_query_that_is_too_wide_is_refused_and_one_that_is_not_is_run,
    },
    kill::{kill_nine_loses_nothing_acknowledged},
);
