// SPDX-License-Identifier: Apache-2.0
//! A wire to a PostgreSQL that may lose everything and say nothing of it, as a network does whose other side is gone.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_postgres::{Config, config::Host};

pub struct Wire {
    url: String,
    is_silent: Arc<AtomicBool>,
    taking_in: JoinHandle<()>,
}

impl Wire {
    /// A wire to the database of this URL.
    pub async fn to(url: &str) -> Self {
        let far: Config = url.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (user, name) = (far.get_user().unwrap().to_owned(), far.get_dbname().unwrap().to_owned());
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let taking_in = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connect(near, far.clone(), Arc::clone(&silent)));
            }
        });
        Self { url: format!("postgres://{user}@127.0.0.1:{port}/{name}"), is_silent, taking_in }
    }

    /// The database at the other end of it.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    pub fn speak(&self) {
        self.is_silent.store(false, Ordering::Relaxed);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.taking_in.abort();
    }
}

async fn connect(near: TcpStream, far: Config, silent: Arc<AtomicBool>) -> io::Result<()> {
    let port = far.get_ports().first().copied().unwrap_or(5432);
    match &far.get_hosts()[0] {
        Host::Tcp(host) => join(near, TcpStream::connect((host.as_str(), port)).await?, &silent).await,
        Host::Unix(folder) => join(near, UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?, &silent).await,
    }
}

async fn join(near: TcpStream, far: impl AsyncRead + AsyncWrite, silent: &AtomicBool) -> io::Result<()> {
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), split(far));
    tokio::try_join!(carry(&mut from_near, &mut to_far, silent), carry(&mut from_far, &mut to_near, silent)).map(drop)
}

async fn carry(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), silent: &AtomicBool) -> io::Result<()> {
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
