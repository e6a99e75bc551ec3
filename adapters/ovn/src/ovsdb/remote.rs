// SPDX-License-Identifier: Apache-2.0
//! Where a database is, and how to open a stream to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::{Error, Result};

/// The address of an OVSDB server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    Unix(PathBuf),
    Tcp {
        host: String,
        port: u16,
    },
    /// Mutually authenticated TLS.
    Ssl {
        host: String,
        port: u16,
        tls: TlsFiles,
    },
}

/// PEM files of one side of a TLS connection. They are read at each connection, so that a renewed certificate is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub private_key: PathBuf,
    pub certificate: PathBuf,
    /// The authorities whose signature the other side must show.
    pub ca_cert: PathBuf,
    /// The name the other side's certificate must carry, where it is not the host of the address.
    pub peer_name: Option<String>,
}

/// Any stream, once it is open.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Remote {
    /// A TLS address.
    pub fn ssl(host: impl Into<String>, port: u16, tls: TlsFiles) -> Self {
        Self::Ssl { host: host.into(), port, tls }
    }

    /// Opens a stream. The error is a sentence for the operator.
    pub(crate) async fn open(&self) -> std::result::Result<Box<dyn Stream>, String> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                Ok(Box::new(stream.map_err(|error| error.to_string())?))
            }
            Self::Tcp { host, port } => Ok(Box::new(open_tcp(host, *port).await?)),
            Self::Ssl { host, port, tls } => {
                let config = tls.client_config().map_err(|error| error.to_string())?;
                let name = tls.peer_name.clone().unwrap_or_else(|| host.clone());
                let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
                let stream = open_tcp(host, *port).await?;
                let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
                let stream = connector.connect(name, stream).await;
                Ok(Box::new(stream.map_err(|error| error.to_string())?))
            }
        }
    }
}

impl TlsFiles {
    fn client_config(&self) -> Result<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        for authority in certificates(&self.ca_cert)? {
            let added = roots.add(authority);
            added.map_err(|error| unusable(&self.ca_cert, &error))?;
        }
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.private_key).map_err(|error| unusable(&self.private_key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&self.certificate, &error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| unusable(&self.certificate, &error))
    }
}

async fn open_tcp(host: &str, port: u16) -> std::result::Result<TcpStream, String> {
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| error.to_string())?;
    // Requests are small and waited for: never hold one back to fill a segment.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    notice_silence(&stream).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// The kernel gives up a peer that is gone without a word after half a minute, also where nothing is read.
fn notice_silence(stream: &TcpStream) -> nix::Result<()> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &15)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &5)?;
    setsockopt(stream, sockopt::TcpKeepCount, &3)?;
    setsockopt(stream, sockopt::TcpUserTimeout, &30_000)
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    let found: std::result::Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| unusable(path, &error))?;
    if found.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(found)
}

fn unusable(path: &std::path::Path, why: &dyn fmt::Display) -> Error {
    Error::TlsFile { path: path.to_owned(), why: why.to_string() }
}

impl fmt::Display for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(out, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(out, "tcp:{host}:{port}"),
            Self::Ssl { host, port, .. } if host.contains(':') => {
                write!(out, "ssl:[{host}]:{port}")
            }
            Self::Ssl { host, port, .. } => write!(out, "ssl:{host}:{port}"),
        }
    }
}

/// `unix:PATH` and `tcp:HOST:PORT`; a TLS address needs its files too, so it is built with [`Remote::ssl`].
impl FromStr for Remote {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Address { text: text.to_owned(), why: why.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let Some(address) = text.strip_prefix("tcp:") else {
            return Err(wrong("it begins with neither unix: nor tcp:"));
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
        Ok(Self::Tcp {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: port.parse().map_err(|_| wrong("its port is no number"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn addresses_read_as_they_are_written() {
        for text in ["unix:/run/nb.sock", "tcp:127.0.0.1:6641", "tcp:[::1]:6641"] {
            assert_eq!(text.parse::<Remote>().unwrap().to_string(), text);
        }
        for text in ["/run/nb.sock", "tcp:127.0.0.1", "tcp:a:b"] {
            assert!(matches!(text.parse::<Remote>(), Err(Error::Address { .. })), "{text}");
        }
    }
}
