// SPDX-License-Identifier: Apache-2.0
//! The test itself at a place of the laboratory: its own sockets, in a host's network.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::Host;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

impl Host {
    /// A connection as a program on this host would have it. The socket stays in the host's network wherever it is used.
    pub fn connect(&self, address: SocketAddr) -> Result<TcpStream> {
        self.in_network(|| {
            TcpStream::connect_timeout(&address, CONNECT_DEADLINE)
                .with_context(|| format!("connecting to {address} from {}", self.name()))
        })
    }

    /// A socket on which a program on this host would listen. It, too, stays in the host's network.
    pub fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        self.in_network(|| TcpListener::bind(address).with_context(|| format!("listening on {address} of {}", self.name())))
    }

    /// Brings this thread into the host's network, where it stays.
    pub fn enter_network(&self) -> Result<()> {
        let namespace = File::open(format!("/proc/{}/ns/net", self.pid())).context("opening the host's network namespace")?;
        setns(namespace, CloneFlags::CLONE_NEWNET).context("entering the host's network")
    }

    /// Does something in this host's network. A namespace is a thread's own: another one goes there, works, and ends.
    pub(crate) fn in_network<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let there = scope.spawn(|| {
                self.enter_network()?;
                work()
            });
            there.join().map_err(|_| anyhow!("a thread in the host's network panicked"))?
        })
    }
}
