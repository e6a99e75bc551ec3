// SPDX-License-Identifier: Apache-2.0
//! From a location to a connection, past the rules.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{Client, Error, location::Location};

pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(crate) async fn connect(client: &Client, to: &Location) -> Result<Box<dyn Wire>, Error> {
    if !client.rules.admits_port(to.port) {
        return Err(Error::Port { port: to.port });
    }
    if !to.is_https && !client.rules.admits_plain_http() {
        return Err(Error::Url { url: to.url(), why: "only https is allowed here" });
    }
    let patience = client.limits.connect;
    let unreachable = |source| Error::Connect { host: to.host.clone(), source };
    let mut failure = None;
    for address in admitted(client, &to.host).await? {
        match within(patience, TcpStream::connect(SocketAddr::new(address, to.port))).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unreachable)?;
                return if to.is_https { secure(client, to, stream).await } else { Ok(Box::new(stream)) };
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(unreachable(failure.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))))
}

/// The addresses of a host that may be connected to. Refused ones are left out; if there are no others, it is an error.
async fn admitted(client: &Client, host: &str) -> Result<Vec<IpAddr>, Error> {
    let nothing = || Error::Name { host: host.to_owned() };
    let found = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => within(client.limits.connect, client.resolver.addresses(host)).await.map_err(|_| nothing())?,
    };
    let mut admitted = Vec::new();
    let mut refused = None;
    for address in found {
        match client.rules.check(address) {
            Ok(()) if !admitted.contains(&address) => admitted.push(address),
            Ok(()) => {}
            Err(why) => refused = Some(why),
        }
    }
    match (admitted.is_empty(), refused) {
        (false, _) => Ok(admitted),
        (true, Some(why)) => Err(Error::Refused { host: host.to_owned(), why }),
        (true, None) => Err(nothing()),
    }
}

async fn secure(client: &Client, to: &Location, stream: TcpStream) -> Result<Box<dyn Wire>, Error> {
    let wrong = |source| Error::Connect { host: to.host.clone(), source };
    let name = to.host.clone().try_into().map_err(|_| Error::Name { host: to.host.clone() })?;
    let connector = TlsConnector::from(client.tls()?);
    Ok(Box::new(within(client.limits.connect, connector.connect(name, stream)).await.map_err(wrong)?))
}

async fn within<T>(patience: Duration, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, what).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}
