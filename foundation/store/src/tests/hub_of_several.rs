// SPDX-License-Identifier: Apache-2.0
//! What one controller knows of another's commits when notifications get lost, when a transaction runs for long, and when the
//! database is silent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use super::behaviour::insert;
use super::fixture;
use super::hub::record;
use super::streams::{next, wakes};
use crate::{Error, EventFilter, Store, Touched};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_controller_commits_is_known_within_a_second_without_notifications() {
    let fixture = fixture::postgres().await;
    // From now on a notification goes to a function that does nothing.
    for sql in [
        "CREATE SCHEMA deaf",
        "CREATE FUNCTION deaf.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = deaf, pg_catalog, public', current_database()); END $$",
    ] {
        super::behaviour::run(&fixture.store, sql).await.unwrap();
    }
    let (one, other) = (Store::open(&fixture.url).await.unwrap(), Store::open(&fixture.url).await.unwrap());
    other.current().await.unwrap();
    let mut wake = other.watch_others(&["thing"]);
    for number in 0..5 {
        let id = number.to_string();
        record(&one, &[&id]).await;
        // Whatever is not known after this second is looked up before anybody relies on it.
        sleep(Duration::from_secs(1)).await;
        other.current().await.unwrap();
        let Ok(Touched::These(things)) = timeout(Duration::ZERO, wake.wait()).await else { panic!("{id} is not known") };
        assert_eq!(things.iter().map(|thing| &*thing.id).collect::<Vec<_>>(), [id]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_does_not_wait_for_older_transactions_but_the_stream_does() {
    let fixture = fixture::postgres().await;
    let (one, other) = (fixture.store, Store::open(&fixture.url).await.unwrap());
    other.current().await.unwrap();
    let mut following = other.subscribe(0, EventFilter::default());
    let (numbered, has_number) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (holder, may_go_on) = (one.clone(), Mutex::new(may_go_on));
    let older = tokio::spawn(async move {
        let write = holder.write(move |tx| {
            insert(tx, "held", "held")?;
            numbered.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
            tx.record(super::streams::created("older"))
        });
        write.await
    });
    tokio::task::spawn_blocking(move || has_number.recv().unwrap()).await.unwrap();
    let mut wake = other.watch_others(&["thing"]);
    record(&one, &["newer"]).await;
    let touched = timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    assert_eq!(touched.ids::<String>("thing").unwrap(), ["newer"]);
    assert!(timeout(Duration::from_millis(600), following.next()).await.is_err(), "an event was given out of its order");
    go_on.send(()).unwrap();
    older.await.unwrap().unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(next(&mut following).await.iter().map(|event| event.resource_id.clone()));
    }
    assert_eq!(seen, ["older", "newer"]);
    let touched = timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    assert_eq!(touched.ids::<String>("thing").unwrap(), ["older"]);
    assert!(!wakes(&mut wake).await, "told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_from_a_silent_database_says_so_and_goes_on_when_it_speaks() {
    let fixture = fixture::postgres().await;
    let silent = Arc::new(AtomicBool::new(false));
    let through = through_a_wire(&fixture.url, Arc::clone(&silent)).await;
    let (one, other) = (fixture.store, Store::open(&through).await.unwrap());
    other.current().await.unwrap();
    let mut wake = other.watch_others(&["thing"]);
    silent.store(true, Ordering::Relaxed);
    record(&one, &["a"]).await;
    sleep(Duration::from_millis(1100)).await;
    let asked = Instant::now();
    let answer = other.current().await;
    assert!(matches!(answer, Err(Error::Unreachable { .. })), "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(8));
    assert!(!wakes(&mut wake).await);
    silent.store(false, Ordering::Relaxed);
    let deadline = Instant::now() + Duration::from_secs(20);
    while other.current().await.is_err() {
        assert!(Instant::now() < deadline, "the reader does not come back");
    }
    assert_eq!(timeout(Duration::from_secs(1), wake.wait()).await.unwrap().ids::<String>("thing").unwrap(), ["a"]);
}

/// The database at the other end of a wire that loses everything while it is silent, and says nothing of it.
async fn through_a_wire(url: &str, silent: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server: tokio_postgres::Config = url.parse().unwrap();
    let (host, real_port) = (server.get_hosts()[0].clone(), server.get_ports().first().copied().unwrap_or(5432));
    let name = server.get_dbname().unwrap().to_owned();
    let user = server.get_user().unwrap_or("postgres").to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let silent = Arc::clone(&silent);
            let host = host.clone();
            tokio::spawn(async move {
                match host {
                    tokio_postgres::config::Host::Tcp(host) => {
                        join(near, TcpStream::connect((host, real_port)).await.unwrap(), silent).await;
                    }
                    tokio_postgres::config::Host::Unix(folder) => {
                        let path = folder.join(format!(".s.PGSQL.{real_port}"));
                        join(near, UnixStream::connect(path).await.unwrap(), silent).await;
                    }
                }
            });
        }
    });
    format!("postgres://{user}@127.0.0.1:{port}/{name}")
}

async fn join(near: TcpStream, far: impl tokio::io::AsyncRead + tokio::io::AsyncWrite, silent: Arc<AtomicBool>) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = tokio::io::split(far);
    let _ = tokio::join!(carry(&mut from_near, &mut to_far, &silent), carry(&mut from_far, &mut to_near, &silent));
}

async fn carry(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    silent: &AtomicBool,
) -> std::io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        if !silent.load(Ordering::Relaxed) {
            to.write_all(&bytes[..read]).await?;
        }
    }
}
