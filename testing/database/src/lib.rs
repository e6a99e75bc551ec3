// SPDX-License-Identifier: Apache-2.0
//! An empty database for each test, on the engine that `FERROSTACK_TEST_DATABASE` names, so that every room's tests
//! prove the room on both:
//!
//! - `sqlite`, or nothing: a file in the test's own folder;
//! - `postgres`: a PostgreSQL server that this process starts and that ends with it;
//! - `postgres://user@host/postgres`: a server that is there, whose databases nobody else calls `test_…`. The program
//!   of this crate starts one for all processes of a command: `with-postgres cargo nextest run`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

mod server;
mod wire;

use std::{
    env,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

pub use server::{Listening, Server};
pub use wire::Wire;

pub const ENGINE: &str = "FERROSTACK_TEST_DATABASE";

/// The URL of a new, empty database for a test that has this folder to itself.
pub async fn new_database(folder: &Path) -> String {
    match env::var(ENGINE).as_deref().unwrap_or("sqlite") {
        "sqlite" => format!("sqlite:{}", folder.join("cloud.db").display()),
        "postgres" => new_postgres_database().await,
        server if server.starts_with("postgres://") => new_database_of(server).await,
        other => panic!("{ENGINE} is sqlite, postgres or postgres://…, not {other}"),
    }
}

/// The URL of a new, empty database on this process's own PostgreSQL.
pub async fn new_postgres_database() -> String {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async { Server::start() }).await;
    new_database_of(&server.url()).await
}

/// From the next connection on, notifications of this database go to a function that does nothing.
pub async fn swallow_notifications(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let swallowed = client.batch_execute(
        "CREATE SCHEMA deaf; \
         CREATE FUNCTION deaf.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT'; \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = deaf, pg_catalog, public', current_database()); END $$",
    );
    swallowed.await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}

async fn new_database_of(server: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    drop_databases_of_the_dead(&client).await;
    let name = format!("test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    let (host, _) = server.rsplit_once('/').unwrap();
    format!("{host}/{name}")
}

/// A test may be killed, so nobody drops his own databases: whoever comes next drops those of processes that are gone.
/// Another may be doing the same, and be faster.
async fn drop_databases_of_the_dead(client: &Client) {
    let databases = client.query("SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%'", &[]).await.unwrap();
    for name in databases.iter().map(|row| row.get::<_, String>(0)) {
        let gone = name.split('_').nth(1).is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if gone {
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}
