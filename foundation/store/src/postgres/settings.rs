// SPDX-License-Identifier: Apache-2.0
//! How PostgreSQL is reached, and how long it is waited for.

use std::{path::PathBuf, time::Duration};

use crate::{Error, Result};

/// The defaults are right for a server in the same building.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// How many connections one controller holds at most, besides two of its own.
    pub connections: usize,
    /// How long a connection may take to be made, TLS and authentication included.
    pub connect: Duration,
    /// How long one statement may take.
    pub statement: Duration,
    /// How long one transaction may take, with the wait for a connection and all that it is run again.
    pub transaction: Duration,
    /// How long a server may leave unacknowledged what was sent to it, or not answer on a connection that is idle.
    pub silence: Duration,
    pub tls: TlsSettings,
}

/// What is not set here may be said in the URL, in libpq's words: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`. The URL goes
/// first.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// If it is not set at all: [`TlsMode::VerifyFull`] where an authority is named, else [`TlsMode::Prefer`].
    pub mode: Option<TlsMode>,
    /// The file with the certificates of those who may vouch for the server, or `system` for those that this host trusts.
    pub authority: Option<PathBuf>,
    /// Our own certificate, with its key, if the server asks for one.
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
}

/// As libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Disable,
    /// Encrypted if the server can; nobody vouches for it.
    Prefer,
    /// Encrypted or not at all. If an authority is named, it must have signed the server's certificate, as with libpq.
    Require,
    /// The authority must have signed the server's certificate.
    VerifyCa,
    /// It must also be for the host that the URL names.
    VerifyFull,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            connections: 16,
            connect: Duration::from_secs(5),
            statement: Duration::from_secs(15),
            transaction: Duration::from_secs(30),
            silence: Duration::from_secs(10),
            tls: TlsSettings::default(),
        }
    }
}

impl TlsMode {
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "disable" => Self::Disable,
            // libpq's `allow` would rather not encrypt, for which there is no reason here.
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl TlsSettings {
    /// Takes what a URL says of TLS out of it, since the driver knows only a part of these words.
    pub(super) fn take_from(&self, url: &str) -> Result<(Self, String)> {
        let mut settings = self.clone();
        let Some((address, query)) = url.split_once('?') else { return Ok((settings, url.to_owned())) };
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).ok_or_else(|| unfit(format!("the database's URL: {name} is not UTF-8")))?;
            match name {
                "sslmode" => {
                    let mode = TlsMode::parse(&value);
                    let mode = mode.ok_or_else(|| {
                        unfit("the database's URL: sslmode is disable, prefer, require, verify-ca or verify-full".to_owned())
                    })?;
                    settings.mode = Some(mode);
                }
                "sslrootcert" => settings.authority = Some(value.into()),
                "sslcert" => settings.certificate = Some(value.into()),
                "sslkey" => settings.private_key = Some(value.into()),
                _ => others.push(pair),
            }
        }
        let rest = if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) };
        Ok((settings, rest))
    }

    pub(super) fn mode(&self) -> TlsMode {
        self.mode.unwrap_or(if self.authority.is_some() { TlsMode::VerifyFull } else { TlsMode::Prefer })
    }
}

pub(super) fn unfit(sentence: String) -> Error {
    Error::Settings { sentence }
}

/// Percent-encoding undone.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_of_tls_what_libpq_reads_there() {
        let url = "postgres://me@db/cloud?sslmode=verify-full&application_name=x&sslrootcert=%2Fetc%2Fca.pem&sslkey=k";
        let (tls, rest) = TlsSettings::default().take_from(url).unwrap();
        assert_eq!(rest, "postgres://me@db/cloud?application_name=x");
        assert_eq!(
            (tls.mode(), tls.authority, tls.private_key),
            (TlsMode::VerifyFull, Some("/etc/ca.pem".into()), Some("k".into()))
        );
        let (tls, rest) = TlsSettings::default().take_from("postgres://me@db/cloud?sslmode=disable").unwrap();
        assert_eq!((rest.as_str(), tls.mode()), ("postgres://me@db/cloud", TlsMode::Disable));
        assert!(TlsSettings::default().take_from("postgres://me@db/cloud?sslmode=perhaps").is_err());
    }

    #[test]
    fn who_names_an_authority_wants_it_asked() {
        let named = TlsSettings { authority: Some("ca.pem".into()), ..TlsSettings::default() };
        assert_eq!((named.mode(), TlsSettings::default().mode()), (TlsMode::VerifyFull, TlsMode::Prefer));
    }
}
